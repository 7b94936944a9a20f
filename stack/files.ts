/** Small files of a server's folder, and the disk that it is on. */
import { open, readFile, rename, statfs, writeFile } from 'node:fs/promises';
import { IsomorphError } from '../shared/errors/isomorph-error.ts';

const isMissing = (thrown: unknown): boolean => thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT';

/** Replaces the file as a whole, also over a power failure; only its owner can read it. */
export async function writePrivate(path: string, text: string): Promise<void> {
  const draft = `${path}.draft`;
  await writeFile(draft, text, { mode: 0o600, flush: true });
  await rename(draft, path);
}

/** The parsed file; undefined when it does not exist. @throws SyntaxError when it is no JSON. */
export async function readJsonFile(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (thrown) {
    if (isMissing(thrown)) return undefined;
    throw thrown;
  }
}

/** The last lines of a log, for the message of a server that did not start; empty when there is no log. */
export async function logTail(path: string, lines = 8, windowBytes = 8192): Promise<string> {
  try {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      const length = Math.min(size, windowBytes);
      const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
      return buffer.toString('utf8').trimEnd().split('\n').slice(-lines).join('\n');
    } finally {
      await file.close();
    }
  } catch (thrown) {
    if (isMissing(thrown)) return '';
    throw thrown;
  }
}

/** That a server of the stack did not come up, with what it said of it. */
export async function notReady(what: string, timeoutMs: number, log: string): Promise<IsomorphError> {
  const tail = await logTail(log);
  const told = tail === '' ? 'its log says nothing: the machine may be too busy' : `its log ends with\n${tail}`;
  return new IsomorphError('ERR_UNAVAILABLE', `${what} ended, or was not ready within ${timeoutMs / 1_000} s; ${told}`);
}

/** Bytes that may still be written on the disk of a folder. */
export async function freeBytesOn(dir: string): Promise<number> {
  const { bavail, bsize } = await statfs(dir);
  return bavail * bsize;
}
