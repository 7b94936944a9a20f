import fc from 'fast-check';
import * as assert from 'uvu/assert';
import type { ErrorCode } from '../../shared/errors/codes.ts';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { parseSelector, selectorCovers, selectorMatches } from '../../shared/ids/selector.ts';
import { suite } from '../harness/suite.ts';
import { FUZZ_RUNS } from './fuzz.ts';

const matches = (selector: string, path: string): boolean => selectorMatches(parseSelector(selector), path);
const covers = (selector: string, prefix: string): boolean => selectorCovers(parseSelector(selector), prefix);

const test = suite('selector');

test('an exact selector selects its path alone', () => {
  assert.ok(matches('/artifacts/a', '/artifacts/a'));
  assert.not.ok(matches('/artifacts/a', '/artifacts/a/b'));
  assert.not.ok(matches('/artifacts/a', '/artifacts/ab'));
});

test('a prefix selects what lies under it, on segment borders', () => {
  assert.ok(matches('/artifacts/out/', '/artifacts/out/a'));
  assert.ok(matches('/artifacts/out/', '/artifacts/out/a/b'));
  assert.not.ok(matches('/artifacts/out/', '/artifacts/out'));
  assert.not.ok(matches('/artifacts/out/', '/artifacts/out2/a'));
  assert.not.ok(matches('/artifacts/', '/streams/a'));
});

test('globs: * inside one segment, ** for one or more segments at the end', () => {
  assert.ok(matches('/artifacts/outputs/**', '/artifacts/outputs/a'));
  assert.ok(matches('/artifacts/outputs/**', '/artifacts/outputs/a/b/c'));
  assert.not.ok(matches('/artifacts/outputs/**', '/artifacts/outputs'));
  assert.not.ok(matches('/artifacts/outputs/**', '/artifacts/outputs2/a'));
  assert.ok(matches('/artifacts/*/report-*.json', '/artifacts/x/report-7.json'));
  assert.ok(matches('/artifacts/*/report-*.json', '/artifacts/x/report-.json'));
  assert.not.ok(matches('/artifacts/*/report-*.json', '/artifacts/x/y/report-7.json'));
  assert.not.ok(matches('/artifacts/ab*ba', '/artifacts/aba'), 'head and tail must not overlap');
  assert.ok(matches('/artifacts/*/', '/artifacts/x/y'));
  assert.not.ok(matches('/artifacts/*/', '/artifacts/x'));
});

test('a selector is canonicalised like a path', () => {
  assert.is(parseSelector('/Artifacts//OUT/**').text, '/artifacts/out/**');
  assert.ok(matches('/artifacts/caf%C3%A9/*', '/artifacts/café/x'));
});

test('{plan_id} is substituted, and nothing else is', () => {
  const own = parseSelector('/artifacts/outputs/{plan_id}/**', { plan_id: 'iris-001' });
  assert.ok(selectorMatches(own, '/artifacts/outputs/iris-001/s/a'));
  assert.not.ok(selectorMatches(own, '/artifacts/outputs/iris-002/s/a'));
});

test('refuses what is no selector', () => {
  const cases: readonly [string, ErrorCode][] = [
    ['', 'ERR_BAD_FACET'],
    ['**', 'ERR_BAD_FACET'],
    ['/**', 'ERR_BAD_FACET'],
    ['/*/a', 'ERR_BAD_FACET'],
    ['/artifacts*/a', 'ERR_BAD_FACET'],
    ['/artifacts/**/a', 'ERR_CHARACTER'],
    ['/artifacts/a**', 'ERR_CHARACTER'],
    ['/artifacts/***', 'ERR_CHARACTER'],
    ['/artifacts/*a*', 'ERR_CHARACTER'],
    ['/artifacts/%2a', 'ERR_CHARACTER'],
    ['/artifacts/{plan_id}/**', 'ERR_CHARACTER'],
    ['/artifacts/../**', 'ERR_DOT_SEGMENTS'],
    ['/artifacts/%2f*', 'ERR_DECODED_SLASH'],
  ];
  for (const [text, code] of cases) {
    assert.throws(
      () => parseSelector(text),
      (error: unknown) => error instanceof IsomorphError && error.code === code,
      text,
    );
  }
  assert.throws(
    () => parseSelector('/artifacts/{plan_id}/{step}', { plan_id: 'p' }),
    (error: unknown) => error instanceof IsomorphError && error.code === 'ERR_CHARACTER',
  );
  for (const plan_id of ['../x', 'a/b', '*', '']) {
    assert.throws(
      () => parseSelector('/artifacts/{plan_id}/**', { plan_id }),
      (error: unknown) => error instanceof IsomorphError && error.code === 'ERR_PLAN_ID',
    );
  }
});

test('covers: whether everything that can exist under a prefix is selected', () => {
  assert.ok(covers('/artifacts/outputs/**', '/artifacts/outputs/'));
  assert.ok(covers('/artifacts/outputs/**', '/artifacts/outputs/p/s/'));
  assert.ok(covers('/artifacts/outputs/', '/artifacts/outputs/p/'));
  assert.ok(covers('/artifacts/*/p/**', '/artifacts/x/p/s/'));
  assert.ok(covers('/artifacts/a', '/artifacts/a'));
  assert.not.ok(covers('/artifacts/outputs/**', '/artifacts/'));
  assert.not.ok(covers('/artifacts/outputs/**', '/artifacts/outputs2/'));
  assert.not.ok(covers('/artifacts/outputs/*', '/artifacts/outputs/'), 'one segment is not every depth');
  assert.not.ok(covers('/artifacts/*/**', '/artifacts/'), '/artifacts/a is under the prefix and not selected');
  assert.not.ok(covers('/artifacts/a', '/artifacts/a/'));
});

const segment = fc
  .string({ unit: fc.constantFrom('a', 'b', '.', 'é', '-'), minLength: 1, maxLength: 4 })
  .map((text) => `${text}x`);
const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => `/artifacts/${segments.join('/')}`);
const prefix = fc
  .array(segment, { maxLength: 3 })
  .map((segments) => `/artifacts/${segments.map((s) => `${s}/`).join('')}`);

/** A selector that is near to a path, so that matches are common: some segments starred, the end cut or deepened. */
const selectorNear = (base: string): fc.Arbitrary<string> => {
  const segments = base
    .split('/')
    .filter((text) => text !== '')
    .slice(1);
  const variant = (text: string) =>
    fc.oneof(
      { weight: 3, arbitrary: fc.constant(text) },
      fc.constant('*'),
      fc.nat({ max: text.length - 1 }).map((at) => `${text.slice(0, at)}*${text.slice(at + 1)}`.replace(/\.$/, 'x')),
      segment,
    );
  return fc
    .tuple(fc.tuple(...segments.map(variant)), fc.nat({ max: 4 }), fc.constantFrom('', '', '/', '/**', '/*'))
    .map(([parts, kept, end]) => `/artifacts/${parts.slice(0, Math.max(1, kept)).join('/') || 'ax'}${end}`);
};

/** The obvious matcher: exponential, character by character. */
function naive(pattern: string, text: string): boolean {
  if (pattern === '') return text === '';
  if (pattern.endsWith('/') && !pattern.endsWith('**/')) return naive(`${pattern}**`, text);
  if (pattern === '**') return text !== '';
  if (pattern.startsWith('*') && pattern !== '**') {
    return naive(pattern.slice(1), text) || (text !== '' && text[0] !== '/' && naive(pattern, text.slice(1)));
  }
  return text !== '' && pattern[0] === text[0] && naive(pattern.slice(1), text.slice(1));
}

test('property: selectors match as the naive matcher does', () => {
  let matched = 0;
  fc.assert(
    fc.property(
      path.chain((base) => fc.tuple(fc.constant(base), selectorNear(base))),
      ([base, text]) => {
        const expected = naive(text, base);
        if (expected) matched += 1;
        assert.is(matches(text, base), expected, `${text} against ${base}`);
      },
    ),
    { numRuns: FUZZ_RUNS },
  );
  assert.ok(matched > FUZZ_RUNS / 10, `only ${matched} pairs matched: the generator is too wild`);
});

test('property: covers is true exactly when no path under the prefix escapes', () => {
  fc.assert(
    fc.property(
      prefix.chain((base) => fc.tuple(fc.constant(base), selectorNear(`${base}ax`))),
      ([base, text]) => {
        const under = ['zz', 'zz/zz', 'zz/zz/zz', 'zz/zz/zz/zz', 'zz/zz/zz/zz/zz'].map((tail) => base + tail);
        assert.is(
          covers(text, base),
          under.every((candidate) => matches(text, candidate)),
          `${text} over ${base}`,
        );
      },
    ),
    { numRuns: FUZZ_RUNS },
  );
});

test('a long hostile selector does not make matching explode', () => {
  const hostile = parseSelector(`/artifacts/${'a*/'.repeat(300)}**`);
  const long = `/artifacts/${'a'.repeat(200)}/${'ab/'.repeat(250)}b`;
  for (let round = 0; round < 1000; round += 1) assert.not.ok(selectorMatches(hostile, long));
});

test.run();
