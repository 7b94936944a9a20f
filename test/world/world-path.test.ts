import fc from 'fast-check';
import * as assert from 'uvu/assert';
import type { ErrorCode } from '../../shared/errors/codes.ts';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { canonicalRelativePath, canonicalWorldPath, joinWorldPath, keyOf } from '../../shared/ids/world-path.ts';
import { suite } from '../harness/suite.ts';
import { FUZZ_RUNS } from './fuzz.ts';
import { awkwardBytes, awkwardPath, checkFixedPoint, checkSpellings } from './path-properties.ts';

const bytes = (...values: number[]): Uint8Array => Uint8Array.from([...Buffer.from('/artifacts/'), ...values]);

function refused(run: () => unknown, code: ErrorCode, label: string): void {
  try {
    run();
  } catch (error) {
    assert.instance(error, IsomorphError, label);
    assert.is((error as IsomorphError).code, code, label);
    assert.type((error as IsomorphError).place.expected, 'string', label);
    // A message ends in a terminal or a log: nothing in it may steer either.
    assert.not.match((error as IsomorphError).message, /[\p{Cc}\p{Cf}]/u, label);
    return;
  }
  assert.unreachable(`${label} was accepted`);
}

const refusedPath = (input: string | Uint8Array, code: ErrorCode): void =>
  refused(() => canonicalWorldPath(input), code, typeof input === 'string' ? JSON.stringify(input) : String(input));

const test = suite('world path');

test('folds what has one reading', () => {
  const cases: readonly [string | Uint8Array, string][] = [
    ['/artifacts/a', '/artifacts/a'],
    ['/Artifacts/Report.CSV', '/artifacts/report.csv'],
    ['//artifacts///a//b', '/artifacts/a/b'],
    ['/artifacts/out/', '/artifacts/out/'],
    ['/artifacts/out//', '/artifacts/out/'],
    ['/artifacts/', '/artifacts/'],
    ['/streams/S1', '/streams/s1'],
    ['/artifacts/a%20b', '/artifacts/a b'],
    ['/artifacts/%41', '/artifacts/a'],
    ['/artifacts/caf%C3%A9', '/artifacts/café'],
    ['/artifacts/cafe\u0301', '/artifacts/café'],
    ['/artifacts/CAFE\u0301', '/artifacts/café'],
    ['/artifacts/ÖL.txt', '/artifacts/öl.txt'],
    ['/artifacts/漢字/Ω', '/artifacts/漢字/ω'],
    ['/artifacts/οδος', '/artifacts/οδος'],
    ['/artifacts/straße', '/artifacts/straße'],
    ['/artifacts/🚀', '/artifacts/🚀'],
    ['/artifacts/.hidden', '/artifacts/.hidden'],
    ['/artifacts/a..b', '/artifacts/a..b'],
    ['/artifacts/a?b=c&d#e+f', '/artifacts/a?b=c&d#e+f'],
    [bytes(0x63, 0xc3, 0xa9), '/artifacts/cé'],
  ];
  for (const [input, expected] of cases) assert.is(canonicalWorldPath(input), expected);
});

test('refuses what is not under a facet', () => {
  for (const path of ['', '/', '//', 'artifacts/a', '/artifacts', '/streams', '/artifacts2/a', '/etc/passwd', 'a'])
    refusedPath(path, 'ERR_BAD_FACET');
});

test('refuses encodings that are malformed, doubled, or no UTF-8', () => {
  const escapes = ['%', '%2', '%zz', '%252e', '%25', '%2525', '%c0%af', '%e0%80%af', '%c3', '%ed%a0%80', '%ff', '%%41'];
  for (const encoding of escapes) refusedPath(`/artifacts/a${encoding}`, 'ERR_PERCENT_DECODE');
  for (const raw of [
    bytes(0xc3),
    bytes(0xc0, 0xaf),
    bytes(0xed, 0xa0, 0x80),
    bytes(0xff),
    bytes(0xf4, 0x90, 0x80, 0x80),
  ])
    refusedPath(raw, 'ERR_PERCENT_DECODE');
  // Half a character raw and half encoded is no character.
  refusedPath(bytes(0xc3, ...Buffer.from('%a9')), 'ERR_PERCENT_DECODE');
});

test('refuses an encoded slash', () => {
  for (const encoding of ['%2F', '%2f', '%2e%2e%2f', 'x%2Fy'])
    refusedPath(`/artifacts/${encoding}`, 'ERR_DECODED_SLASH');
  refusedPath('%2fartifacts/a', 'ERR_DECODED_SLASH');
});

test('refuses segments of dots and segments that end in a dot or a space', () => {
  for (const tail of [
    '.',
    '..',
    '...',
    '../b',
    './b',
    'a/../b',
    'a/..',
    '%2e%2e',
    '%2e',
    'a.',
    'a.%2e',
    'a ',
    'a%20',
    ' ',
  ])
    refusedPath(`/artifacts/${tail}`, 'ERR_DOT_SEGMENTS');
  refusedPath('/../artifacts/a', 'ERR_DOT_SEGMENTS');
});

test('refuses characters that nobody sees or that mean something elsewhere', () => {
  const characters = [
    ...['\\', '%5c', '%00', '\0', '\n', '\x7f', '\u0085', '%0a', '*', '{', '}', '%2a', '%7Bplan_id%7D'],
    ...['\ufeff', '%EF%BB%BF', '\u202e', '\u2066', '\u200f', '\u061c', '\u200b', '\u200d', '\u2060', '\u00ad'],
    ...['\u{e0041}', '\u{e0001}', '\ufe0f', '\u{e0100}', '\u034f', '\u3164', '\u115f', '\u180e'],
    ...['\u2028', '\u2029', '\u00a0', '\u3000', '\ufffd', '\ufffe', '\ue000', '\u0378', '\ud800', '\udc00', '\ud800x'],
  ];
  for (const character of characters) refusedPath(`/artifacts/a${character}b`, 'ERR_CHARACTER');
  refusedPath('\ufeff/artifacts/a', 'ERR_CHARACTER');
});

test('refuses every code point whose NFKC form holds / \\ . or %, and no more than exist', () => {
  let found = 0;
  for (let codePoint = 0x80; codePoint <= 0x10ffff; codePoint += 1) {
    if (codePoint >= 0xd800 && codePoint <= 0xdfff) continue;
    const character = String.fromCodePoint(codePoint);
    if (!/[/\\.%]/.test(character.normalize('NFKC'))) continue;
    found += 1;
    refusedPath(`/artifacts/a${character}b`, 'ERR_CHARACTER');
  }
  assert.ok(found >= 40, `${found} such code points`);
});

test('refuses lower-casing that is not stable', () => {
  for (const name of ['J\u030c', 'H\u0331', 'İ', 'I\u0307', 'ΟΔΟΣ', '\u212a', '\u2126', '\u212b', 'ẞ', 'ǅ'])
    refusedPath(`/artifacts/${name}`, 'ERR_CHARACTER');
});

test('refuses what is too long, counted in bytes of the canonical form', () => {
  const segment = 'x'.repeat(255);
  assert.is(canonicalWorldPath(`/artifacts/${segment}`), `/artifacts/${segment}`);
  refusedPath(`/artifacts/${segment}x`, 'ERR_TOO_LONG');
  refusedPath(`/artifacts/${'é'.repeat(128)}`, 'ERR_TOO_LONG');
  const longest = `/artifacts/${'a/'.repeat(507)}`;
  assert.is(Buffer.byteLength(keyOf(longest)), 1024);
  assert.is(canonicalWorldPath(longest, 'prefix'), longest);
  refusedPath(`${longest}b`, 'ERR_TOO_LONG');
  refusedPath(`/artifacts/${'%41'.repeat(1_000_000)}`, 'ERR_TOO_LONG');
});

test('holds the caller to the kind it asked for', () => {
  assert.is(canonicalWorldPath('/artifacts/a', 'exact'), '/artifacts/a');
  assert.is(canonicalWorldPath('/artifacts/a/', 'prefix'), '/artifacts/a/');
  refused(() => canonicalWorldPath('/artifacts/a/', 'exact'), 'ERR_SELECTOR_KIND_MISMATCH', 'prefix for exact');
  refused(() => canonicalWorldPath('/artifacts/', 'exact'), 'ERR_SELECTOR_KIND_MISMATCH', 'facet for exact');
  refused(() => canonicalWorldPath('/artifacts/a', 'prefix'), 'ERR_SELECTOR_KIND_MISMATCH', 'exact for prefix');
});

test('a relative path cannot leave its prefix', () => {
  assert.is(canonicalRelativePath('Sub//Report.JSON'), 'sub/report.json');
  assert.is(joinWorldPath('/artifacts/outputs/p/s/', 'a/b'), '/artifacts/outputs/p/s/a/b');
  const cases: readonly [string, ErrorCode][] = [
    ['', 'ERR_BAD_FACET'],
    ['/', 'ERR_BAD_FACET'],
    ['/etc/passwd', 'ERR_BAD_FACET'],
    ['//a', 'ERR_BAD_FACET'],
    ['a/', 'ERR_SELECTOR_KIND_MISMATCH'],
    ['../b', 'ERR_DOT_SEGMENTS'],
    ['a/../../b', 'ERR_DOT_SEGMENTS'],
    ['..%2fb', 'ERR_DECODED_SLASH'],
    ['%2e%2e', 'ERR_DOT_SEGMENTS'],
    ['..\\b', 'ERR_CHARACTER'],
    ['\uff0e\uff0e\uff0fb', 'ERR_CHARACTER'],
  ];
  for (const [input, code] of cases) refused(() => canonicalRelativePath(input), code, input);
  refused(() => joinWorldPath(`/artifacts/${'a/'.repeat(500)}`, 'x'.repeat(200)), 'ERR_TOO_LONG', 'the sum');
});

test('property: a canonical path is a fixed point, in a facet, NFC, lower case, within its limits', () => {
  const pathByKey = new Map<string, string>();
  fc.assert(
    fc.property(awkwardPath, (input) => {
      const path = checkFixedPoint(input);
      if (path === undefined) return;
      assert.is(pathByKey.get(keyOf(path)) ?? path, path, 'two canonical paths share a key');
      pathByKey.set(keyOf(path), path);
    }),
    { numRuns: FUZZ_RUNS },
  );
  assert.ok(pathByKey.size > FUZZ_RUNS / 40, `only ${pathByKey.size} paths were legal: the generator is too wild`);
});

test('property: every spelling of a canonical path leads back to it', () => {
  fc.assert(fc.property(awkwardPath, checkSpellings), { numRuns: FUZZ_RUNS });
});

test('property: arbitrary bytes are canonical or refused with a code', () => {
  fc.assert(
    fc.property(awkwardBytes, (input) => {
      checkFixedPoint(input);
    }),
    { numRuns: FUZZ_RUNS },
  );
});

test.run();
