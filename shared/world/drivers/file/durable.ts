/** File operations that are on the disk when they return, and the translation of what the system throws. */
import { randomBytes } from 'node:crypto';
import { type FileHandle, lstat, mkdir, open, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { LRUCache } from 'lru-cache';
import { IsomorphError } from '../../../errors/isomorph-error.ts';

export const isSystemError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && 'syscall' in error && 'code' in error;

export const hasErrno = (error: unknown, ...codes: readonly string[]): boolean =>
  isSystemError(error) && codes.includes(error.code ?? '');

/** The path is not there, also when one of its parents is a file. */
export const isMissing = (error: unknown): boolean => hasErrno(error, 'ENOENT', 'ENOTDIR');

/** Runs an operation; what the operating system refuses becomes ERR_UNAVAILABLE. */
export async function guarded<T>(what: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new IsomorphError('ERR_UNAVAILABLE', `${what}: ${error.code ?? 'unknown'}`, {}, error);
  }
}

export async function withHandle<T>(path: string, flags: string, use: (handle: FileHandle) => Promise<T>): Promise<T> {
  // 0444 at birth: the one handle that made the file may write it, nobody later.
  const handle = await open(path, flags, 0o444);
  try {
    return await use(handle);
  } finally {
    await handle.close();
  }
}

/** Puts the names inside a folder, or the bytes of a file, on the disk. */
export const sync = (path: string): Promise<void> => withHandle(path, 'r', (handle) => handle.sync());

async function isLink(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSymbolicLink();
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** Folders of one store, made durable once a process. The store may be a link itself; nothing inside it may be. */
export class Folders {
  readonly #store: string;
  readonly #root: string;
  readonly #durable = new LRUCache<string, true>({ max: 10_000 });

  constructor(store: string) {
    this.#store = store;
    this.#root = dirname(store);
  }

  /** Whether a symbolic link stands on the way from the store to this folder, or in its place: what lies behind is no part of the store. */
  async leadsOut(folder: string): Promise<boolean> {
    const onTheWay: string[] = [];
    // Resolved: with a slash at its end a link would be looked at behind.
    for (let at = resolve(folder); at !== this.#store && at !== dirname(at); at = dirname(at)) onTheWay.push(at);
    return (await Promise.all(onTheWay.map(isLink))).includes(true);
  }

  /** Makes a folder of the store exist, on the disk, with its parents. @throws ERR_UNIMPLEMENTED when a link leads out */
  async ensure(folder: string): Promise<void> {
    if (await this.leadsOut(folder)) {
      throw new IsomorphError('ERR_UNIMPLEMENTED', `${folder}: a symbolic link leads out of the store`, {
        expected: 'folders of the store itself: the file driver follows no link inside it',
      });
    }
    const made = await mkdir(folder, { recursive: true });
    if (made === undefined && this.#durable.has(folder)) return;
    // Also when another process made it: that one may not have come to its own sync yet.
    for (let at = folder; at !== this.#root && at !== dirname(at); at = dirname(at)) {
      await sync(dirname(at));
      // What is above was there before, and was made durable here.
      if (this.#durable.has(dirname(at)) && (made === undefined || made.length >= at.length)) break;
    }
    this.#durable.set(folder, true);
  }
}

/** A name nobody else uses, in a folder that is swept. */
export const temporaryName = (folder: string): string =>
  join(folder, `${process.pid}-${randomBytes(12).toString('hex')}`);

/** Hands a temporary name to `use` and removes it afterwards, whatever happened. */
export async function withTemporary<T>(folder: string, use: (path: string) => Promise<T>): Promise<T> {
  const path = temporaryName(folder);
  try {
    return await use(path);
  } finally {
    await rm(path, { force: true });
  }
}
