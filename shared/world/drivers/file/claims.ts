/** Whose a path is that no plan has by name: `claims/<hash of the path>`, made once and never changed. */
import { link, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { blake3Hex } from '../../../hash/blake3.ts';
import { ownerOfClaim, textOfClaim } from '../../claim.ts';
import { type Folders, hasErrno, isMissing, sync, withHandle, withTemporary } from './durable.ts';

export class Claims {
  readonly #folder: string;
  readonly #temporary: string;
  readonly #folders: Folders;

  constructor(folder: string, temporary: string, folders: Folders) {
    this.#folder = folder;
    this.#temporary = temporary;
    this.#folders = folders;
  }

  /** @returns whose it is now */
  async take(path: string, owner: string): Promise<string> {
    const hash = blake3Hex(path);
    // A folder of all claims would be slow to look through by hand.
    const folder = join(this.#folder, hash.slice(0, 2));
    const file = join(folder, hash);
    const taken = await this.#ownerIn(file, path);
    if (taken !== undefined) return taken;
    await this.#folders.ensure(folder);
    await withTemporary(this.#temporary, async (temporary) => {
      await withHandle(temporary, 'wx', async (handle) => {
        await handle.writeFile(textOfClaim(path, owner));
        await handle.sync();
      });
      try {
        await link(temporary, file);
      } catch (error) {
        if (!hasErrno(error, 'EEXIST')) throw error;
      }
    });
    await sync(folder);
    return (await this.#ownerIn(file, path)) ?? owner;
  }

  async #ownerIn(file: string, path: string): Promise<string | undefined> {
    try {
      return ownerOfClaim(path, await readFile(file, 'utf8'));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }
}
