/** Files below a folder in byte order of their keys, as S3 lists them, resumable behind any key. */
import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing } from './durable.ts';

const byBytes = (left: string, right: string): number => Buffer.compare(Buffer.from(left), Buffer.from(right));

async function entriesOf(folder: string): Promise<readonly Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/**
 * @param prefix empty, or ends in `/`
 * @param after leaves out this key and all before it
 */
export async function* walkKeys(root: string, prefix: string, after: string): AsyncGenerator<string> {
  // A folder sorts as its name with a slash: `a-b` comes before `a/c`.
  const keys = (await entriesOf(join(root, prefix)))
    .filter((entry) => entry.isDirectory() || entry.isFile())
    .map((entry) => `${prefix}${entry.name.normalize('NFC')}${entry.isDirectory() ? '/' : ''}`)
    .sort(byBytes);
  for (const key of keys) {
    if (!key.endsWith('/')) {
      if (byBytes(key, after) > 0) yield key;
    } else if (after.startsWith(key) || byBytes(key, after) > 0) {
      yield* walkKeys(root, key, after);
    }
  }
}
