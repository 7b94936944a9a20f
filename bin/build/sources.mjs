import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** What can be started, by the name that it is called by. */
export const PROGRAMS = {
  isomorph: 'cli/main.ts',
  service: 'services/main.ts',
  pglite: 'stack/postgres/pglite-main.ts',
  judge: 'shared/judge/main.ts',
};

/** All that a program of ours can import, and the recipe itself. A source outside of these does not build. */
const FOLDERS = ['bin', 'cli', 'services', 'shared', 'stack'];

/** What npm installed: the packages that become part of a build. */
const INSTALLED = 'node_modules/.package-lock.json';

/** Its `imports` say which file a name like `#blake3` means. */
const MANIFEST = 'package.json';

/**
 * @typedef {object} Sources
 * @property {string} digest SHA-256 over names and bytes, 64 hex digits: which build belongs to them
 * @property {ReadonlyMap<string, Buffer>} files by path from the root, with `/`
 */

/**
 * @param {string} root
 * @param {string} folder
 */
function filesUnder(root, folder) {
  /** @type {string[]} */
  const found = [];
  const entries = readdirSync(path.join(root, folder), { withFileTypes: true, recursive: true });
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    found.push(path.relative(root, path.join(entry.parentPath, entry.name)).replaceAll(path.sep, '/'));
  }
  return found;
}

/**
 * Reads every source, some 300 of them in 20 ms: times of files say nothing, since a checkout, a copy or an unpacked
 * archive sets them as it likes.
 * @param {string} root
 * @returns {Sources}
 */
export function readSources(root) {
  // A deployment brings only the folders that it needs.
  const present = new Set(readdirSync(root));
  const paths = FOLDERS.filter((folder) => present.has(folder)).flatMap((folder) => filesUnder(root, folder));
  const hash = createHash('sha256');
  const files = new Map();
  for (const file of [...paths.sort(), MANIFEST, INSTALLED]) {
    const bytes = readFileSync(path.join(root, file));
    hash.update(`${file}\0${bytes.byteLength}\0`).update(bytes);
    files.set(file, bytes);
  }
  return { digest: hash.digest('hex'), files };
}
