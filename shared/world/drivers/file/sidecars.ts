/**
 * What is known of an object beside its bytes, in a hidden tree that mirrors the visible one.
 *
 * The link of an object to its final name is the one commit point, so its sidecar must be there before, and two writers
 * with different bytes may both have written theirs. Usually there is one, under the name of the object; a second goes
 * to `contested/`. Readers take the sidecar that fits the object (by size, then by hash), so that whatever a killed
 * writer left behind, an object is never described by another's sidecar.
 */
import { link, lstat, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isCid } from '../../../hash/cid.ts';
import { keyOf } from '../../../ids/world-path.ts';
import { type ContentDigest, hashBody } from '../../content.ts';
import { readFileRange } from './bytes.ts';
import { type Folders, hasErrno, isMissing, sync, withHandle, withTemporary } from './durable.ts';

export interface Sidecar extends ContentDigest {
  readonly contentType: string;
}

/** What an object is called that a person laid into the folder by hand. */
const UNKNOWN_CONTENT_TYPE = 'application/octet-stream';

function jsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A damaged sidecar counts as none: the bytes themselves still tell their hashes.
    return undefined;
  }
}

function parseSidecar(text: string): Sidecar | undefined {
  const value = jsonOrUndefined(text);
  if (typeof value !== 'object' || value === null) return undefined;
  const { cid, sha256, size, content_type } = value as Record<string, unknown>;
  if (!isCid(cid) || typeof sha256 !== 'string' || typeof size !== 'number' || typeof content_type !== 'string') {
    return undefined;
  }
  return { cid, sha256, size, contentType: content_type };
}

const textOf = ({ cid, sha256, size, contentType }: Sidecar): string =>
  `${JSON.stringify({ cid, sha256, size, content_type: contentType })}\n`;

export interface SidecarFolders {
  /** Of the visible objects. */
  readonly root: string;
  readonly meta: string;
  readonly contested: string;
  readonly temporary: string;
}

export class Sidecars {
  readonly #at: SidecarFolders;
  readonly #folders: Folders;

  constructor(at: SidecarFolders, folders: Folders) {
    this.#at = at;
    this.#folders = folders;
  }

  /**
   * Makes it known, durably, what the object will be if its bytes win.
   * @returns whether another sidecar is there too, which `settle` clears up once an object is visible
   */
  write(path: string, sidecar: Sidecar): Promise<boolean> {
    return this.#withFile(sidecar, async (temporary) => {
      if (await this.#placePrimary(path, sidecar, temporary)) return false;
      await this.#contest(path, sidecar, temporary);
      return true;
    });
  }

  /** The sidecar of the object that is visible at a path now; undefined when there is none. */
  async resolve(path: string): Promise<Sidecar | undefined> {
    const object = join(this.#at.root, keyOf(path));
    const size = await this.#sizeOf(object);
    if (size === undefined) return undefined;
    // Contested before primary: `settle` writes them in the opposite order.
    const known = [...(await this.#contestants(path)), await this.#read(join(this.#at.meta, keyOf(path)))];
    const fitting = known.filter((sidecar) => sidecar?.size === size);
    const [first] = fitting;
    if (first !== undefined && fitting.every((other) => other?.cid === first.cid)) return first;
    const digest = await hashBody(readFileRange(object, { offset: 0, length: size }));
    return fitting.find((sidecar) => sidecar?.cid === digest.cid) ?? { ...digest, contentType: UNKNOWN_CONTENT_TYPE };
  }

  /** After a race or a replacement: leaves the sidecar of the visible object as the only one. */
  async settle(path: string, sidecar: Sidecar): Promise<void> {
    const primary = join(this.#at.meta, keyOf(path));
    try {
      await this.#withFile(sidecar, async (temporary) => {
        await this.#folders.ensure(dirname(primary));
        await rename(temporary, primary);
        await sync(dirname(primary));
      });
    } catch (error) {
      // A sidecar without an object stands where this path needs a folder: then the contested one is the only one.
      if (hasErrno(error, 'EEXIST', 'ENOTDIR', 'EISDIR')) return;
      throw error;
    }
    await rm(join(this.#at.contested, keyOf(path)), { recursive: true, force: true });
  }

  /** False when the name is taken by a sidecar of other bytes. */
  async #placePrimary(path: string, sidecar: Sidecar, temporary: string): Promise<boolean> {
    const primary = join(this.#at.meta, keyOf(path));
    try {
      await this.#folders.ensure(dirname(primary));
      await link(temporary, primary);
    } catch (error) {
      // Someone was here first; or a killed writer left a sidecar where this path needs a folder.
      if (!hasErrno(error, 'EEXIST', 'ENOTDIR')) throw error;
      if ((await this.#read(primary))?.cid !== sidecar.cid) return false;
      // The same bytes, perhaps under another content type: it is the living writer that knows.
      await rename(temporary, primary);
    }
    await sync(dirname(primary));
    return true;
  }

  async #contest(path: string, sidecar: Sidecar, temporary: string): Promise<void> {
    const folder = join(this.#at.contested, keyOf(path));
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#folders.ensure(folder);
        await rename(temporary, this.#contestant(folder, sidecar));
        return await sync(folder);
      } catch (error) {
        // Another loser of the same race has just cleared the folder away.
        if (!isMissing(error) || attempt === 5) throw error;
      }
    }
  }

  #contestant(folder: string, { cid }: Sidecar): string {
    return join(folder, `${cid.slice(cid.indexOf(':') + 1)}.json`);
  }

  async #contestants(path: string): Promise<readonly (Sidecar | undefined)[]> {
    const folder = join(this.#at.contested, keyOf(path));
    try {
      const entries = await readdir(folder, { withFileTypes: true });
      return await Promise.all(entries.filter((e) => e.isFile()).map((entry) => this.#read(join(folder, entry.name))));
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  async #read(file: string): Promise<Sidecar | undefined> {
    try {
      return parseSidecar(await readFile(file, 'utf8'));
    } catch (error) {
      // EISDIR: this path has other paths below it, and was never an object.
      if (isMissing(error) || hasErrno(error, 'EISDIR')) return undefined;
      throw error;
    }
  }

  async #sizeOf(object: string): Promise<number | undefined> {
    try {
      // A symbolic link in the folder must not become an artifact, nor what lies behind one.
      const [found, outside] = await Promise.all([lstat(object), this.#folders.leadsOut(dirname(object))]);
      return found.isFile() && !outside ? found.size : undefined;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  #withFile<T>(sidecar: Sidecar, use: (temporary: string) => Promise<T>): Promise<T> {
    return withTemporary(this.#at.temporary, async (temporary) => {
      await withHandle(temporary, 'wx', async (handle) => {
        await handle.writeFile(textOf(sidecar));
        await handle.sync();
      });
      return use(temporary);
    });
  }
}
