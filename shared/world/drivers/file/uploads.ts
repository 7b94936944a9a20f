/** Staging of the `file` driver: `staging/<upload id>/<hash of the WorldPath>`, invisible to readers, swept by age. */
import { link, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { blake3Hex } from '../../../hash/blake3.ts';
import { canonicalWorldPath } from '../../../ids/world-path.ts';
import type { UploadName } from '../../artifact-store.ts';
import { checkUploadId, checkUploadSize } from '../../checks.ts';
import { writeNewFile } from './bytes.ts';
import { type Folders, hasErrno, isMissing, sync, withTemporary } from './durable.ts';

async function* limitedBody(body: AsyncIterable<Uint8Array>, path: string, maxBytes: number) {
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    checkUploadSize(path, size, maxBytes);
    yield chunk;
  }
}

export class FileUploads {
  readonly #staging: string;
  readonly #temporary: string;
  readonly #folders: Folders;

  constructor(staging: string, temporary: string, folders: Folders) {
    this.#staging = staging;
    this.#temporary = temporary;
    this.#folders = folders;
  }

  receive(name: UploadName, body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<{ readonly size: number }> {
    const staged = this.#fileOf(name);
    return withTemporary(this.#temporary, async (temporary) => {
      const { size } = await writeNewFile(temporary, limitedBody(body, name.worldPath, maxBytes));
      await this.#folders.ensure(dirname(staged));
      await rename(temporary, staged);
      await sync(dirname(staged));
      return { size };
    });
  }

  async stat(name: UploadName): Promise<{ readonly size: number } | undefined> {
    const staged = this.#fileOf(name);
    if (await this.#folders.leadsOut(staged)) return undefined;
    try {
      const { size } = await stat(staged);
      return { size };
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /**
   * Pins what is staged now under a name of its own for as long as `use` runs: a body that arrives meanwhile replaces
   * the staged name, never the bytes that are being promoted.
   */
  async claim<T>(name: UploadName, use: (file: string, size: number) => Promise<T>): Promise<T | undefined> {
    const staged = this.#fileOf(name);
    if (await this.#folders.leadsOut(staged)) return undefined;
    return withTemporary(this.#temporary, async (claimed) => {
      try {
        await link(staged, claimed);
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
      const { size } = await stat(claimed);
      return use(claimed, size);
    });
  }

  async drop(uploadId: string): Promise<void> {
    checkUploadId(uploadId);
    await rm(join(this.#staging, uploadId), { recursive: true, force: true });
  }

  /** Removes staged and temporary files last written before an instant, and folders that have long been empty. */
  async sweep(beforeMs: number): Promise<number> {
    let removed = await this.#sweepFiles(this.#temporary, beforeMs);
    for (const entry of await readdir(this.#staging, { withFileTypes: true })) {
      // What a link leads to is not ours to remove.
      if (!entry.isDirectory()) continue;
      const folder = join(this.#staging, entry.name);
      removed += await this.#sweepFiles(folder, beforeMs);
      await this.#sweepFolder(folder, beforeMs);
    }
    return removed;
  }

  async #sweepFiles(folder: string, beforeMs: number): Promise<number> {
    let removed = 0;
    for (const name of await readdir(folder)) {
      const file = join(folder, name);
      if (!(await this.#isOlder(file, beforeMs))) continue;
      await rm(file, { force: true });
      removed += 1;
    }
    return removed;
  }

  async #sweepFolder(folder: string, beforeMs: number): Promise<void> {
    // A young folder may be waiting for its first upload.
    if (!(await this.#isOlder(folder, beforeMs))) return;
    try {
      await rmdir(folder);
    } catch (error) {
      if (!isMissing(error) && !hasErrno(error, 'ENOTEMPTY', 'EEXIST')) throw error;
    }
  }

  async #isOlder(file: string, beforeMs: number): Promise<boolean> {
    try {
      return (await stat(file)).mtimeMs < beforeMs;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  #fileOf({ uploadId, worldPath }: UploadName): string {
    checkUploadId(uploadId);
    // Hashed, because a path is deeper and longer than one name may be.
    return join(this.#staging, uploadId, blake3Hex(canonicalWorldPath(worldPath, 'exact')));
  }
}
