import * as assert from 'uvu/assert';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { codePointName, quoted } from '../../shared/ids/characters.ts';
import { parseSelector } from '../../shared/ids/selector.ts';
import { canonicalRelativePath, canonicalWorldPath } from '../../shared/ids/world-path.ts';
import { suite } from '../harness/suite.ts';

const test = suite('what a refused path says');

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.instance(error, IsomorphError);
    const { message, place } = error as IsomorphError;
    return `${message}; expected ${place.expected}`;
  }
  return 'accepted';
}

const VISIBLE = 'visible characters with one reading and a lower case that leads back to its capital';
const LENGTHS = 'at most 255 bytes a segment and 1024 in all, as UTF-8';
const GLOB = 'an exact path, a prefix ending in /, or a glob with one * a segment and ** as its last segment';
const UTF8 = 'valid UTF-8, shortest form, no surrogates';
const NO_DOTS = 'segments that do not end in a dot or a space';

test('each refusal of a path names what is wrong and what is expected', () => {
  const a = 'a'.repeat(1100);
  const shown = (text: string): string => JSON.stringify(`${text.slice(0, 120)}…`);
  const cases: readonly [string | Uint8Array, string][] = [
    ['/artifacts/a*b', `U+002A in "/artifacts/a*b" is not allowed; expected ${VISIBLE}`],
    ['/artifacts/a\\b', `U+005C in "/artifacts/a\\\\b" is not allowed; expected ${VISIBLE}`],
    ['/artifacts/\u00ad', `U+00AD in "/artifacts/\\u{ad}" cannot be seen or has no fixed meaning; expected ${VISIBLE}`],
    [
      '/artifacts/\u{e0041}',
      `U+E0041 in "/artifacts/\\u{e0041}" cannot be seen or has no fixed meaning; expected ${VISIBLE}`,
    ],
    ['/artifacts/\uff0e', `U+FF0E in "/artifacts/．" can be read as / \\ . or %; expected ${VISIBLE}`],
    [
      '/artifacts/\u212a',
      `U+212A in "/artifacts/\u212a" has a lower case that does not lead back to it; expected ${VISIBLE}`,
    ],
    ['/artifacts/ΟΔΟΣ', '"/artifacts/ΟΔΟΣ" has no stable lower case; expected the name written in lower case'],
    ['/artifacts/%ff', `"%ff" is not UTF-8; expected ${UTF8}`],
    [Uint8Array.of(0xff), `the path is not UTF-8; expected ${UTF8}`],
    ['/artifacts/%2f', '"%2f" decodes to a slash; expected the slash itself between segments, and none inside one'],
    ['/artifacts/%2541', '"%25" decodes to another %; expected each byte encoded once; a path holds no % itself'],
    ['/artifacts/%2a', '"%2a" decodes to *; expected no *{} behind an encoding'],
    ['/artifacts/%7', '"/artifacts/%7" holds a % that starts no encoding; expected % followed by two hex digits'],
    ['/artifacts/a./b', `segment "a." of "/artifacts/a./b"; expected ${NO_DOTS}`],
    ['/etc/x', '"/etc/x" is not under a facet; expected /artifacts/… or /streams/…'],
    [`/artifacts/${a.slice(0, 256)}`, `segment ${shown(a)} is too long; expected ${LENGTHS}`],
    [
      `/artifacts/${'a/'.repeat(600)}`,
      `the path ${shown(`/artifacts/${'a/'.repeat(600)}`)} is too long; expected ${LENGTHS}`,
    ],
    [`/${'a'.repeat(4096)}`, `the path of 4097 characters is too long; expected ${LENGTHS}`],
  ];
  for (const [input, said] of cases)
    assert.is(
      refusal(() => canonicalWorldPath(input)),
      said,
    );
  // Not cut off by its mere length: every byte may be escaped.
  assert.match(
    refusal(() => canonicalWorldPath(`/artifacts/${'a'.repeat(4085)}`)),
    /^segment /,
  );
});

test('each refusal of a kind and of a relative path does so too', () => {
  const prefix = 'a prefix, which ends in /';
  const exact = 'an exact path, which does not end in /';
  assert.is(
    refusal(() => canonicalWorldPath('/artifacts/a', 'prefix')),
    `"/artifacts/a" is not prefix; expected ${prefix}`,
  );
  assert.is(
    refusal(() => canonicalWorldPath('/artifacts/a/', 'exact')),
    `"/artifacts/a/" is not exact; expected ${exact}`,
  );
  const relative = 'a path under the write prefix, without a first /';
  assert.is(
    refusal(() => canonicalRelativePath('/a')),
    `"/a" is not a relative path; expected ${relative}`,
  );
  assert.is(
    refusal(() => canonicalRelativePath('*')),
    `U+002A in "*" is not allowed; expected ${VISIBLE}`,
  );
});

test('each refusal of a selector does so too', () => {
  const cases: readonly [() => unknown, string][] = [
    [
      () => parseSelector('/artifacts/a**'),
      `selector "/artifacts/a**": more than one * in a segment, or ** before the end; expected ${GLOB}`,
    ],
    [
      () => parseSelector('/artifacts/{plan_id}'),
      `selector "/artifacts/{plan_id}": a placeholder without its value; expected ${GLOB}`,
    ],
    [
      () => parseSelector('/artifacts/{x}', { plan_id: 'p' }),
      `selector "/artifacts/{x}": only {plan_id} is known; expected ${GLOB}`,
    ],
    // Half a placeholder is none.
    [
      () => parseSelector('/artifacts/{x', { plan_id: 'p' }),
      `selector "/artifacts/{x": only {plan_id} is known; expected ${GLOB}`,
    ],
    [
      () => parseSelector('/artifacts/x}', { plan_id: 'p' }),
      `selector "/artifacts/x}": only {plan_id} is known; expected ${GLOB}`,
    ],
    [
      () => parseSelector('/artifacts/{plan_id}', { plan_id: 'A' }),
      '"A" is no plan_id; expected [a-z0-9][a-z0-9_-]{0,62}',
    ],
  ];
  for (const [run, said] of cases) assert.is(refusal(run), said);
});

test('a text of a stranger is quoted, cut and made printable', () => {
  assert.is(quoted('a"b\n'), '"a\\"b\\n"');
  assert.is(quoted('x'.repeat(120)), `"${'x'.repeat(120)}"`);
  assert.is(quoted('x'.repeat(121)), `"${'x'.repeat(120)}…"`);
  assert.is(quoted('é\u202e\u3164\u{e0041}'), '"é\\u{202e}\\u{3164}\\u{e0041}"');
  assert.equal(['\n', 'ß', '\u202e', '🚀'].map(codePointName), ['U+000A', 'U+00DF', 'U+202E', 'U+1F680']);
});

test.run();
