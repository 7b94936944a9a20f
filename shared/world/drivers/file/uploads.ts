/**
 * Staging of the `file` driver: `staging/<upload id>/<hash of the WorldPath>`, and `….sealed` beside it, which no URL
 * names. Invisible to readers.
 */
import type { Stats } from 'node:fs';
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

async function statOf(file: string): Promise<Stats | undefined> {
  try {
    return await stat(file);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

export interface SealedFile {
  readonly file: string;
  /** Bytes. */
  readonly size: number;
  /** Another one under the same name, after this was dropped, is told apart by it. */
  readonly identity: string;
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
    const found = await statOf(staged);
    return found === undefined ? undefined : { size: found.size };
  }

  /**
   * Gives what is staged a second name that no URL leads to: a body that arrives later replaces the first name, never
   * these bytes. Who comes second finds what the first has sealed.
   */
  async seal(name: UploadName): Promise<SealedFile | undefined> {
    const staged = this.#fileOf(name);
    if (await this.#folders.leadsOut(staged)) return undefined;
    try {
      await link(staged, this.#sealedOf(name));
    } catch (error) {
      if (isMissing(error)) return this.findSealed(name);
      if (!hasErrno(error, 'EEXIST')) throw error;
    }
    return this.#kept(name);
  }

  /** Seals a finished, synced file. */
  async sealFile(name: UploadName, finished: string): Promise<SealedFile | undefined> {
    await this.#folders.ensure(dirname(this.#sealedOf(name)));
    try {
      await link(finished, this.#sealedOf(name));
    } catch (error) {
      if (!hasErrno(error, 'EEXIST')) throw error;
    }
    return this.#kept(name);
  }

  async findSealed(name: UploadName): Promise<SealedFile | undefined> {
    const file = this.#sealedOf(name);
    if (await this.#folders.leadsOut(file)) return undefined;
    const found = await statOf(file);
    return found && { file, size: found.size, identity: `${file} ${found.ino} ${found.mtimeMs}` };
  }

  /** On the disk, also when another process made it: that one may not have come to its own sync yet. */
  async #kept(name: UploadName): Promise<SealedFile | undefined> {
    await sync(dirname(this.#sealedOf(name)));
    return this.findSealed(name);
  }

  async drop(uploadId: string): Promise<void> {
    checkUploadId(uploadId);
    await rm(join(this.#staging, uploadId), { recursive: true, force: true });
  }

  /** Removes temporary files last written before an instant, such uploads as nobody needs, and folders long empty. */
  async sweep(beforeMs: number, isNeeded: (uploadId: string) => Promise<boolean>): Promise<number> {
    let removed = await this.#removeAll(await this.#olderIn(this.#temporary, beforeMs));
    for (const entry of await readdir(this.#staging, { withFileTypes: true })) {
      // What a link leads to is not ours to remove.
      if (!entry.isDirectory()) continue;
      const folder = join(this.#staging, entry.name);
      const older = await this.#olderIn(folder, beforeMs);
      if (older.length > 0 && (await isNeeded(entry.name))) continue;
      removed += await this.#removeAll(older);
      await this.#sweepFolder(folder, beforeMs);
    }
    return removed;
  }

  async #olderIn(folder: string, beforeMs: number): Promise<readonly string[]> {
    const older: string[] = [];
    for (const name of await readdir(folder)) {
      const file = join(folder, name);
      if (await this.#isOlder(file, beforeMs)) older.push(file);
    }
    return older;
  }

  async #removeAll(files: readonly string[]): Promise<number> {
    for (const file of files) await rm(file, { force: true });
    return files.length;
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
    const found = await statOf(file);
    return found !== undefined && found.mtimeMs < beforeMs;
  }

  #fileOf({ uploadId, worldPath }: UploadName): string {
    checkUploadId(uploadId);
    // Hashed, because a path is deeper and longer than one name may be.
    return join(this.#staging, uploadId, blake3Hex(canonicalWorldPath(worldPath, 'exact')));
  }

  #sealedOf(name: UploadName): string {
    return `${this.#fileOf(name)}.sealed`;
  }
}
