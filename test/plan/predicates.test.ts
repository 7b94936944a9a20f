import * as assert from 'uvu/assert';
import { cidOf } from '../../shared/hash/cid.ts';
import type { PredicateCall } from '../../shared/plan/plan.ts';
import { PREDICATE_NAMES, predicateFaults, predicateOf } from '../../shared/plan/predicates/index.ts';
import type { ArtifactEvidence, PredicateResult } from '../../shared/plan/predicates/predicate.ts';
import { suite } from '../harness/suite.ts';

const test = suite('predicates');

/** A call with its arguments, which the schema of plans leaves open. */
type Call = PredicateCall & Readonly<Record<string, unknown>>;

const artifact = (content: string | Uint8Array): ArtifactEvidence => {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  return { cid: cidOf(bytes), size: bytes.byteLength, bytes };
};

const WORLD: Readonly<Record<string, ArtifactEvidence>> = {
  '/artifacts/report.json': artifact('{"rows":344,"tags":[],"name":"","none":null,"columns":[{"missing":2}]}'),
  '/artifacts/deep': artifact('['.repeat(500) + ']'.repeat(500)),
  '/artifacts/deeper': artifact('['.repeat(501) + ']'.repeat(501)),
  '/artifacts/empty': artifact(''),
  '/artifacts/text': artifact('not { json'),
  '/artifacts/latin1': artifact(Uint8Array.of(0x22, 0xe4, 0x22)),
  '/artifacts/unread': { cid: cidOf('x'), size: 99, bytes: undefined },
  // Judged by the size that the store tells, so that nothing that large is ever held.
  '/artifacts/largest': { ...artifact('{"rows":1}'), size: 16 * 1024 * 1024 },
  '/artifacts/huge': { ...artifact('{"rows":1}'), size: 16 * 1024 * 1024 + 1 },
};
const SERIES: Readonly<Record<string, number>> = { loss: 40 };

/** An admitted call, judged by what its own reads find. */
function judge(call: PredicateCall): PredicateResult {
  assert.equal(predicateFaults(call, ''), [], 'admission would refuse the call');
  const predicate = predicateOf(call);
  const readable = new Set(predicate?.reads(call).map((read) => (read.kind === 'artifact' ? read.path : read.series)));
  return (
    predicate?.check(call, {
      artifact: (path) => (readable.has(path) ? WORLD[path] : undefined),
      series: (name) => (readable.has(name) ? SERIES[name] : undefined),
    }) ?? { ok: false, found: 'no such predicate' }
  );
}

type Case = readonly [args: Record<string, unknown>, ok: boolean, found: RegExp];

const CASES: Readonly<Record<string, readonly Case[]>> = {
  'artifact.exists@1': [
    [{ path: '/artifacts/report.json' }, true, /^\d+ bytes, blake3:/],
    [{ path: '/artifacts/empty' }, true, /^0 bytes/],
    [{ path: '/artifacts/empty', min_bytes: 1 }, false, /^0 bytes/],
    [{ path: '/artifacts/unread', min_bytes: 99 }, true, /^99 bytes/],
    [{ path: '/artifacts/unread', min_bytes: 100 }, false, /^99 bytes/],
    [{ path: '/artifacts/nothing' }, false, /nothing at \/artifacts\/nothing/],
  ],
  'artifact.jmespath_ok@1': [
    [{ path: '/artifacts/report.json', expression: 'rows == `344`' }, true, /^true$/],
    [{ path: '/artifacts/report.json', expression: 'rows == `345`' }, false, /^false$/],
    [{ path: '/artifacts/report.json', expression: 'rows' }, true, /^344$/],
    [{ path: '/artifacts/report.json', expression: 'columns[0].missing' }, true, /^2$/],
    // JMESPath's own truth: what is empty or not there is false.
    [{ path: '/artifacts/report.json', expression: 'tags' }, false, /^\[\]$/],
    [{ path: '/artifacts/report.json', expression: 'name' }, false, /^""$/],
    [{ path: '/artifacts/report.json', expression: 'columns' }, true, /^\[\{"missing":2\}\]$/],
    [{ path: '/artifacts/report.json', expression: 'columns[0]' }, true, /^\{"missing":2\}$/],
    [{ path: '/artifacts/report.json', expression: '`{}`' }, false, /^\{\}$/],
    [{ path: '/artifacts/report.json', expression: 'none' }, false, /^null$/],
    [{ path: '/artifacts/report.json', expression: 'absent' }, false, /^null$/],
    [{ path: '/artifacts/text', expression: 'rows' }, false, /is no JSON/],
    [{ path: '/artifacts/latin1', expression: '@' }, false, /is no JSON/],
    [{ path: '/artifacts/empty', expression: '@' }, false, /is no JSON/],
    [{ path: '/artifacts/largest', expression: '@' }, true, /rows/],
    [{ path: '/artifacts/huge', expression: '@' }, false, /16777217 bytes: too large to judge/],
    [{ path: '/artifacts/deep', expression: '@[0]' }, true, /^\[\[/],
    [{ path: '/artifacts/deeper', expression: '@[0]' }, false, /^too costly to judge: more than 500 levels/],
    [{ path: '/artifacts/nothing', expression: '@' }, false, /nothing at/],
  ],
  'json.schema_ok@1': [
    [{ path: '/artifacts/report.json', schema: { required: ['rows'] } }, true, /it matches/],
    [{ path: '/artifacts/report.json', schema: true }, true, /it matches/],
    [{ path: '/artifacts/report.json', schema: { properties: { rows: { type: 'string' } } } }, false, /^\/rows: /],
    [{ path: '/artifacts/report.json', schema: { required: ['rank'] } }, false, /rank/],
    [{ path: '/artifacts/report.json', schema: { type: 'array' } }, false, /^\/: .*a value of type array/],
    // Where, and none of its words: they would stand in the ledger for ever.
    [{ path: '/artifacts/text', schema: {} }, false, /^\/artifacts\/text is no JSON from character 1 on$/],
    [{ path: '/artifacts/nothing', schema: {} }, false, /nothing at/],
  ],
  'series.has_new@1': [
    [{ series: 'loss' }, true, /watermark 40/],
    [{ series: 'loss', after: 39 }, true, /watermark 40/],
    [{ series: 'loss', after: 40 }, false, /watermark 40/],
    [{ series: 'never' }, false, /never was never sampled/],
  ],
};

test('every predicate is told true and false, with what it found', () => {
  assert.equal(Object.keys(CASES).sort(), [...PREDICATE_NAMES].sort());
  for (const [use, cases] of Object.entries(CASES)) {
    for (const [args, ok, found] of cases) {
      const outcome = judge({ use, ...args });
      const what = `${use} ${JSON.stringify(args)}: ${outcome.found}`;
      assert.is(outcome.ok, ok, what);
      assert.match(outcome.found, found);
      assert.ok(outcome.found.length <= 1_000, what);
    }
  }
});

test('a call that does not fit its predicate is a fault with its place, before anything runs', () => {
  const wrong: [Call, string, string][] = [
    [{ use: 'artifact.shines@1' }, 'ERR_UNKNOWN_PREDICATE', '/p/use'],
    [{ use: 'artifact.exists@1' }, 'ERR_SCHEMA', '/p'],
    [{ use: 'artifact.jmespath_ok@1', path: '/x', expression: 'rows ==' }, 'ERR_PREDICATE', '/p/expression'],
    [{ use: 'artifact.jmespath_ok@1', path: '/x', expression: 'no_such(rows)' }, 'ERR_PREDICATE', '/p/expression'],
    [{ use: 'json.schema_ok@1', path: '/x', schema: { type: 'no such type' } }, 'ERR_PREDICATE', '/p/schema'],
    [
      { use: 'json.schema_ok@1', path: '/x', schema: { $ref: 'https://example.org/s.json' } },
      'ERR_PREDICATE',
      '/p/schema',
    ],
    [{ use: 'json.schema_ok@1', path: '/x', schema: 'a string' }, 'ERR_PREDICATE', '/p/schema'],
    [{ use: 'artifact.exists@1', path: 7 }, 'ERR_SCHEMA', '/p/path'],
    [{ use: 'artifact.exists@1', path: '/artifacts/x', min_bytes: -1 }, 'ERR_SCHEMA', '/p/min_bytes'],
    [{ use: 'artifact.exists@1', path: '/artifacts/x', colour: 'red' }, 'ERR_SCHEMA', '/p/colour'],
    [{ use: 'artifact.jmespath_ok@1', path: '/artifacts/x' }, 'ERR_SCHEMA', '/p'],
    [{ use: 'json.schema_ok@1', path: '/artifacts/x' }, 'ERR_SCHEMA', '/p'],
    [{ use: 'series.has_new@1', series: 'x', after: 1.5 }, 'ERR_SCHEMA', '/p/after'],
  ];
  for (const [call, code, pointer] of wrong) {
    const [fault] = predicateFaults(call, '/p');
    assert.equal([fault?.code, fault?.pointer], [code, pointer], JSON.stringify(call));
  }
});

test('a predicate reads the bytes only where it judges them', () => {
  const readsOf = (call: Call) => predicateOf(call)?.reads(call);
  const path = '/artifacts/x';
  assert.equal(readsOf({ use: 'artifact.exists@1', path }), [{ kind: 'artifact', path, bytes: false }]);
  assert.equal(readsOf({ use: 'json.schema_ok@1', path, schema: {} }), [{ kind: 'artifact', path, bytes: true }]);
  assert.equal(readsOf({ use: 'series.has_new@1', series: 's' }), [{ kind: 'series', series: 's' }]);
});

test('admission is told which arguments are paths', () => {
  const pathsOf = (use: string) => predicateOf({ use })?.paths;
  const uses = ['artifact.exists@1', 'artifact.jmespath_ok@1', 'json.schema_ok@1', 'series.has_new@1'];
  assert.equal(uses.map(pathsOf), [['path'], ['path'], ['path'], []]);
});

test('an unknown predicate is told with those that there are', () => {
  const [fault] = predicateFaults({ use: 'constructor' }, '/predicates/3');
  assert.equal(fault, {
    code: 'ERR_UNKNOWN_PREDICATE',
    message: 'no predicate "constructor"',
    pointer: '/predicates/3/use',
    expected: 'one of artifact.exists@1, artifact.jmespath_ok@1, json.schema_ok@1, series.has_new@1',
  });
});

test('arguments keep their bounds, and there is none more', () => {
  const path = '/artifacts/x';
  const exists = { use: 'artifact.exists@1', path };
  const query = { use: 'artifact.jmespath_ok@1', path, expression: 'a' };
  const matches = { use: 'json.schema_ok@1', path, schema: {} };
  const hasNew = { use: 'series.has_new@1', series: 's' };
  const taken: readonly Call[] = [
    { ...exists, min_bytes: 0 },
    { ...query, expression: 'x'.repeat(4096) },
    matches,
    { ...hasNew, series: 'x'.repeat(256), after: 0 },
  ];
  for (const call of taken) assert.equal(predicateFaults(call, ''), [], call.use);
  const refused: readonly [Call, string][] = [
    [{ ...exists, path: '' }, '/path'],
    [{ ...exists, min_bytes: -1 }, '/min_bytes'],
    [{ ...query, path: '' }, '/path'],
    [{ ...query, expression: '' }, '/expression'],
    [{ ...query, expression: 'x'.repeat(4097) }, '/expression'],
    [{ ...matches, path: '' }, '/path'],
    [{ ...hasNew, series: '' }, '/series'],
    [{ ...hasNew, series: 'x'.repeat(257) }, '/series'],
    [{ ...hasNew, after: -1 }, '/after'],
    ...[exists, query, matches, hasNew].map((call): [Call, string] => [{ ...call, more: 1 }, '/more']),
  ];
  for (const [call, pointer] of refused) {
    assert.equal(
      predicateFaults(call, '').map((one) => one.pointer),
      [pointer],
      JSON.stringify(call).slice(0, 80),
    );
  }
});

test.run();
