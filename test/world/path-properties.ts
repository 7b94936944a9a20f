/** What holds for every text and every bytes that may be given as a WorldPath; for the tests and for `npm run fuzz`. */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { canonicalWorldPath, keyOf, pathOfKey } from '../../shared/ids/world-path.ts';

/** Text made of what goes wrong: separators, escapes, marks that compose, capitals with odd lower cases. */
export const awkwardPath = fc
  .tuple(
    fc.constantFrom('/artifacts/', '/streams/', '/ARTIFACTS/', '//artifacts//', '/artifacts', ''),
    fc.array(
      fc.oneof(
        {
          weight: 4,
          arbitrary: fc.constantFrom('a', 'B', 'z', '0', '-', '_', '/', 'é', 'E\u0301', '\u0301', '\u0323'),
        },
        {
          weight: 2,
          arbitrary: fc.constantFrom('/', '//', '.', '..', ' ', '%2F', '%2e', '%41', '%c3%89', '%', '%25', '*'),
        },
        {
          weight: 1,
          arbitrary: fc.constantFrom('Σ', 'ς', 'İ', 'ß', 'ẞ', 'J', '\u030c', 'K', '\u212a', 'ﬁ', '①', '한', 'ᄒ', 'ᅡ'),
        },
        { weight: 1, arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 3 }) },
      ),
      { maxLength: 12 },
    ),
  )
  .map(([head, parts]) => head + parts.join(''));

/** Canonical form, or undefined when refused with one of our codes; anything else thrown is a failure. */
function canonicalOrRefused(input: string | Uint8Array): string | undefined {
  try {
    return canonicalWorldPath(input);
  } catch (error) {
    if (error instanceof IsomorphError) return undefined;
    throw error;
  }
}

const BYTES_HEAD = Buffer.from('/artifacts/');

/** Any bytes below a facet. */
export const awkwardBytes = fc.uint8Array({ maxLength: 24 }).map((tail) => Buffer.concat([BYTES_HEAD, tail]));

/** A canonical path is a fixed point, in a facet, NFC, lower case, within its limits, and its key leads back to it. */
export function checkFixedPoint(input: string | Uint8Array): string | undefined {
  const path = canonicalOrRefused(input);
  if (path === undefined) return undefined;
  assert.is(canonicalWorldPath(path), path);
  assert.is(path.normalize('NFC'), path);
  assert.is(path.toLowerCase(), path);
  assert.match(path, /^\/(artifacts|streams)\//);
  assert.not.match(path.normalize('NFKC'), /\/\/|\\|%|\/\.{1,2}(\/|$)/);
  assert.ok(Buffer.byteLength(keyOf(path)) <= 1024);
  // The key tells the path: so two paths cannot share one.
  assert.is(pathOfKey(keyOf(path)), path);
  return path;
}

/** Every spelling of a canonical path leads back to it. */
export function checkSpellings(input: string | Uint8Array): void {
  const path = canonicalOrRefused(input);
  if (path === undefined) return;
  const encodedOnce = path.split('/').map(encodeURIComponent).join('/');
  for (const spelling of [encodedOnce, path.normalize('NFD'), Buffer.from(path), path.replaceAll('/', '//')]) {
    assert.is(canonicalWorldPath(spelling), path);
  }
}
