/**
 * WorldPath: the canonical address of an artifact or a stream. One name has one canonical form, and that form is its
 * key in every store. Pure; the rules are DESIGN.md "World".
 */
import { IsomorphError } from '../errors/isomorph-error.ts';
import { checkCharacters, foldCharacters, quoted } from './characters.ts';
import { decodeOnce } from './percent.ts';

const encoder = new TextEncoder();

/** No UTF-16 unit takes more than three bytes: most texts need no counting. */
const exceeds = (text: string, bytes: number): boolean =>
  text.length * 3 > bytes && encoder.encode(text).byteLength > bytes;

export const FACETS = ['artifacts', 'streams'] as const;

/** Sizes of the canonical form in bytes of UTF-8: what file systems allow a name, and S3 a key. */
export const PATH_LIMITS = { segment_bytes: 255, key_bytes: 1024 } as const;

/** Longer input cannot be a legal path even with every byte escaped, give or take doubled slashes. */
const INPUT_LENGTH_MAX = 4 * PATH_LIMITS.key_bytes;

/** An exact path names one artifact or series; a prefix ends in `/` and names all that lies under it. */
export type PathKind = 'exact' | 'prefix';

export const pathKind = (path: string): PathKind => (path.endsWith('/') ? 'prefix' : 'exact');

/**
 * Decoded, checked, folded, slashes collapsed: the rules that paths, relative paths and selectors share.
 * @param allowed punctuation of selectors that this text may hold
 * @throws IsomorphError ERR_TOO_LONG, ERR_PERCENT_DECODE, ERR_DECODED_SLASH, ERR_CHARACTER, ERR_DOT_SEGMENTS
 */
export function canonicalPathText(input: string | Uint8Array, allowed = ''): string {
  if (input.length > INPUT_LENGTH_MAX) refuseLength(`the path of ${input.length} characters`);
  const decoded = decodeOnce(input);
  checkCharacters(decoded, allowed);
  const text = foldCharacters(decoded).replace(/\/{2,}/g, '/');
  checkSegments(text);
  return text;
}

function refuseLength(what: string): never {
  throw new IsomorphError('ERR_TOO_LONG', `${what} is too long`, {
    expected: `at most ${PATH_LIMITS.segment_bytes} bytes a segment and ${PATH_LIMITS.key_bytes} in all, as UTF-8`,
  });
}

/** @throws IsomorphError ERR_DOT_SEGMENTS, ERR_TOO_LONG */
export function checkSegments(text: string): void {
  for (const segment of text.split('/')) {
    // A trailing dot or space is dropped by some file systems and proxies: two names would become one.
    if (segment.endsWith('.') || segment.endsWith(' ')) {
      throw new IsomorphError('ERR_DOT_SEGMENTS', `segment ${quoted(segment)} of ${quoted(text)}`, {
        expected: 'segments that do not end in a dot or a space',
      });
    }
    if (exceeds(segment, PATH_LIMITS.segment_bytes)) refuseLength(`segment ${quoted(segment)}`);
  }
  const key = text.startsWith('/') ? text.slice(1) : text;
  if (exceeds(key, PATH_LIMITS.key_bytes)) refuseLength(`the path ${quoted(text)}`);
}

/** @throws IsomorphError ERR_BAD_FACET */
export function checkFacet(text: string): void {
  if (FACETS.some((facet) => text.startsWith(`/${facet}/`))) return;
  throw new IsomorphError('ERR_BAD_FACET', `${quoted(text)} is not under a facet`, {
    expected: FACETS.map((facet) => `/${facet}/…`).join(' or '),
  });
}

/** @throws IsomorphError ERR_SELECTOR_KIND_MISMATCH */
function checkKind(text: string, kind: PathKind | undefined): void {
  if (kind === undefined || kind === pathKind(text)) return;
  throw new IsomorphError('ERR_SELECTOR_KIND_MISMATCH', `${quoted(text)} is not ${kind}`, {
    expected: kind === 'prefix' ? 'a prefix, which ends in /' : 'an exact path, which does not end in /',
  });
}

/**
 * The canonical form of a WorldPath. Applying it again changes nothing.
 * @param input text or bytes of a stranger; percent-encodings are decoded once
 * @param kind refuses the other kind; without it either is taken
 * @throws IsomorphError ERR_BAD_FACET, ERR_DECODED_SLASH, ERR_DOT_SEGMENTS, ERR_PERCENT_DECODE,
 * ERR_SELECTOR_KIND_MISMATCH, ERR_CHARACTER, ERR_TOO_LONG
 */
export function canonicalWorldPath(input: string | Uint8Array, kind?: PathKind): string {
  const text = canonicalPathText(input);
  checkFacet(text);
  checkKind(text, kind);
  return text;
}

/**
 * The canonical form of a path that is relative to a write prefix: no `/` at either end.
 * @throws IsomorphError ERR_BAD_FACET for a leading slash or nothing, and the codes of `canonicalWorldPath`
 */
export function canonicalRelativePath(input: string | Uint8Array): string {
  const text = canonicalPathText(input);
  if (text === '' || text.startsWith('/')) {
    throw new IsomorphError('ERR_BAD_FACET', `${quoted(text)} is not a relative path`, {
      expected: 'a path under the write prefix, without a first /',
    });
  }
  checkKind(text, 'exact');
  return text;
}

/**
 * The exact WorldPath of a relative path under a prefix.
 * @param prefix canonical, ends in `/`
 * @throws IsomorphError the codes of both parts, and ERR_TOO_LONG for their sum
 */
export const joinWorldPath = (prefix: string, relative: string | Uint8Array): string =>
  canonicalWorldPath(canonicalWorldPath(prefix, 'prefix') + canonicalRelativePath(relative), 'exact');

/** The key of a canonical path in a store: the path without its first `/`, so that people can browse the bucket. */
export const keyOf = (path: string): string => path.slice(1);

/** The canonical path that a key belongs to. */
export const pathOfKey = (key: string): string => `/${key}`;

/** Whether something in a store has a name that the store could have given it. */
export function isCanonicalKey(key: string): boolean {
  try {
    return canonicalWorldPath(pathOfKey(key), 'exact') === pathOfKey(key);
  } catch (error) {
    if (error instanceof IsomorphError) return false;
    throw error;
  }
}
