import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { delay } from '../../shared/async/delay.ts';
import type { Fault, IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { cidOf } from '../../shared/hash/cid.ts';
import { Judge, type JudgedPredicate } from '../../shared/judge/judge.ts';
import { MAX_KILLS, MAX_SLOW } from '../../shared/judge/pool.ts';
import type { SentEvidence } from '../../shared/judge/question.ts';
import type { PredicateCall } from '../../shared/plan/plan.ts';
import { suite } from '../harness/suite.ts';
import { gone } from '../stack/fixture.ts';
import { judgesOf } from './judges-of.ts';

const test = suite('judge');

const PATH = '/artifacts/inputs/x.json';
const PARENT = fileURLToPath(new URL('./parent-main.ts', import.meta.url));

const documentOf = (text: string): SentEvidence => ({
  artifacts: [[PATH, { cid: cidOf(text), size: text.length, bytes: Buffer.from(text) }]],
  series: [],
});

const matches = (schema: unknown) => ({ use: 'json.schema_ok@1', path: PATH, schema }) as PredicateCall;
const holds = (expression: string) => ({ use: 'artifact.jmespath_ok@1', path: PATH, expression }) as PredicateCall;

const nested = (levels: number): string => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
const RECURSIVE = { type: ['object', 'integer'], additionalProperties: { $ref: '#' } };
const STALLS = matches({ type: 'object', properties: { t: { type: 'string', pattern: '^(a+)+$' } } });
const LONG_A = documentOf(JSON.stringify({ t: `${'a'.repeat(40)}!` }));
const GROWS = holds(Array.from({ length: 26 }, () => '[@,@]').join('|'));

let judge: Judge;
test.before(() => {
  judge = new Judge();
});
test.after(() => judge.close());

test('usual predicates are judged, and say what they found', async () => {
  const document = documentOf('{"n": 3, "list": []}');
  assert.equal(await judge.predicate('p', holds('n > `2`'), document), { ok: true, found: 'true', isTooCostly: false });
  assert.is((await judge.predicate('p', holds('list'), document)).ok, false);
  assert.is((await judge.predicate('p', matches({ required: ['n'] }), document)).ok, true);
  const misses = await judge.predicate('p', matches({ properties: { n: { maximum: 2 } } }), document);
  assert.equal([misses.ok, misses.found], [false, '/n: it does not fit "maximum", expected maximum 2']);
  const throws = await judge.predicate('p', holds('sum(n)'), document);
  assert.is(throws.ok, false);
});

for (const [name, call, evidence, found] of [
  ['a regular expression that backtracks without end', STALLS, LONG_A, /more than 2 s/],
  ['an expression that doubles what it has', GROWS, documentOf('{"a": 1}'), /too costly to judge/],
  ['an expression that pads', holds("length(pad_left('x',`100000000`,' '))"), documentOf('{}'), /too costly|100000000/],
  ['a schema that is itself', matches({ $ref: '#' }), documentOf('{}'), /too deep|not usable/],
  ['a document deeper than any', matches(RECURSIVE), documentOf(nested(6_000)), /more than 500 levels/],
] as const) {
  test(`${name} ends as a predicate that does not hold, and others are judged meanwhile`, async () => {
    const [costly, usual] = await Promise.all([
      judge.predicate('bad', call, evidence),
      judge.predicate('good', holds('a'), documentOf('{"a": 1}')),
    ]);
    assert.is(costly.ok, false);
    assert.match(costly.found, found);
    assert.is(usual.ok, true);
  });
}

test('names that every object has are not there', async () => {
  const document = documentOf('{"a": 1}');
  for (const call of [
    holds('constructor'),
    holds('a.toString'),
    holds('{"__proto__": a} | b'),
    matches({ required: ['constructor', 'toString'] }),
  ]) {
    assert.is((await judge.predicate('p', call, document)).ok, false);
  }
  const own = documentOf('{"__proto__": {"x": 1}}');
  assert.is((await judge.predicate('p', holds('merge(@).x'), own)).ok, false);
  assert.is((await judge.predicate('p', holds('"__proto__".x'), own)).ok, true);
});

const placesOf = (faults: readonly Fault[]): unknown[] => faults.map(({ code, pointer }) => [code, pointer]);

test('what cannot be used is told with its place before anything runs', async () => {
  const call = (one: PredicateCall) => judge.faults('p', { kind: 'call', call: one, pointer: '/predicates/0' });
  assert.equal(placesOf(await call(holds('foo['))), [['ERR_PREDICATE', '/predicates/0/expression']]);
  assert.equal(placesOf(await call(matches({ type: 'strnig' }))), [['ERR_PREDICATE', '/predicates/0/schema']]);
  assert.equal(placesOf(await call(matches({ propertees: {} }))), [
    ['ERR_PREDICATE', '/predicates/0/schema/propertees'],
  ]);
  assert.equal(placesOf(await call(holds('{"__proto__": a}'))), [['ERR_PREDICATE', '/predicates/0/expression']]);
  assert.equal(await call(matches({ 'x-note': 1, title: 't', examples: [1] })), []);
  assert.equal(await call(holds('a.b')), []);
});

test('an expression that needs more memory than a judge has does not hold', async () => {
  const hungry = holds(Array.from({ length: 40 }, () => 'map(&[@,@,@,@], [@,@,@,@])').join('|'));
  const { ok, found } = await judge.predicate('p', hungry, documentOf(JSON.stringify('x'.repeat(1_000))));
  assert.is(ok, false);
  assert.match(found, /too costly to judge/);
});

test('params are judged where they can be ended too', async () => {
  const question = (schema: unknown, value: unknown) =>
    judge.faults('p', { kind: 'value', schema, value, code: 'ERR_PARAMS', pointer: '/steps/0/params' });
  const schema = {
    type: 'object',
    properties: { n: { type: 'integer' }, t: { pattern: '^(a+)+$' } },
    additionalProperties: false,
  };
  assert.equal(await question(schema, { n: 1 }), []);
  assert.equal(placesOf(await question(schema, { n: 'x' })), [['ERR_PARAMS', '/steps/0/params/n']]);
  assert.equal(placesOf(await question(schema, { m: 1 })), [['ERR_PARAMS', '/steps/0/params/m']]);
  assert.equal(placesOf(await question(schema, { t: `${'a'.repeat(40)}!` })), [['ERR_TOO_COSTLY', '/steps/0/params']]);
});

test('what is remembered of a schema changes no limit: it costs too much each time, and holds nothing of the last document', async () => {
  for (let time = 0; time < 2; time++) {
    assert.match((await judge.predicate('p', STALLS, LONG_A)).found, /more than 2 s/);
    assert.is((await judge.predicate('p', STALLS, documentOf('{"t": "aa"}'))).ok, true);
    assert.is((await judge.predicate('p', STALLS, documentOf('{"t": 1}'))).ok, false);
  }
});

test('schemas by the dozen, each once and each large, leave the judge alive, and a usual one as quick', async () => {
  const usual = matches({ required: ['a'] });
  const document = documentOf('{"a": 1}');
  assert.is((await judge.predicate('good', usual, document)).ok, true);
  for (let n = 0; n < 60; n++) {
    const names = Array.from({ length: 100 }, (_, index) => [`member ${n} ${index}`, { type: 'string', minLength: n }]);
    assert.is((await judge.predicate('bad', matches({ properties: Object.fromEntries(names) }), document)).ok, true);
  }
  assert.is((await judge.predicate('good', usual, document)).ok, true);
});

test('askers take turns: many costly questions of one do not keep another waiting for all of them', async () => {
  const costly = Array.from({ length: 6 }, () => judge.predicate('bad', STALLS, LONG_A));
  let ended = 0;
  for (const one of costly)
    void one.then(() => {
      ended += 1;
    });
  const usual = await judge.predicate('good', holds('a'), documentOf('{"a": 1}'));
  assert.is(usual.ok, true);
  assert.ok(ended < costly.length);
  for (const { isTooCostly } of await Promise.all(costly)) assert.ok(isTooCostly);
});

test('where a long expression goes wrong is found within what judging may cost', async () => {
  const call = (expression: string) =>
    judge.faults('p', { kind: 'call', call: holds(expression), pointer: '/predicates/0' });
  for (const expression of [
    `[${'a,'.repeat(2_040)})]`,
    `${'['.repeat(2_000)}a${']'.repeat(2_000)})`,
    `${'a.'.repeat(2_040)}b # c`,
  ]) {
    const [found] = await call(expression);
    assert.is(found?.code, 'ERR_PREDICATE');
    assert.match(found?.message ?? '', new RegExp(`^column ${expression.search(/[#)]/) + 1}: `));
  }
});

test('of one asker a few costly questions wait and no more: it holds not all that waits for answers', async () => {
  const own = new Judge();
  const asked = Array.from({ length: 2 * MAX_SLOW }, () =>
    own.predicate('bad', STALLS, LONG_A).then(
      () => 'judged',
      ({ code, message }: IsomorphError) => `${code} ${message}`,
    ),
  );
  try {
    await Promise.any(
      asked.map(async (one) => assert.match(await one, /^ERR_UNAVAILABLE \d+ costly questions of bad/)),
    );
  } finally {
    await own.close();
  }
  await Promise.all(asked);
});

/** Ends all judges, whichever lane has begun by then, until the question is ended. */
async function killedWhile(asked: Promise<unknown>): Promise<Set<number>> {
  let ended = false;
  void asked.then(() => {
    ended = true;
  });
  const killed = new Set<number>();
  while (!ended) {
    for (const pid of await judgesOf(process.pid)) {
      try {
        process.kill(pid, 'SIGKILL');
        killed.add(pid);
      } catch (error) {
        // It ended between the look and the kill.
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  return killed;
}

test('a judge that somebody else ends has not judged: the question fails as one that may pass, and the next is answered', async () => {
  const asked = judge.predicate('p', STALLS, LONG_A).then(
    () => 'judged',
    (error: IsomorphError) => error.code,
  );
  const killed = await killedWhile(asked);
  assert.is(await asked, 'ERR_UNAVAILABLE');
  // Else the next question may be asked of one that is dead and not known to be: they are known once they are reaped.
  while ([...killed].some((pid) => existsSync(`/proc/${pid}`))) await new Promise((resolve) => setImmediate(resolve));
  assert.is((await judge.predicate('p', holds('a'), documentOf('{"a": 1}'))).ok, true);
});

/** CPU of a process so far, in ms. */
async function cpuMs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * 10;
}

/** More than its start takes, and less than start and question together. */
const WORKS_MS = 1_800;

/** Kills the judge that computes, once that is no longer its start: as the kernel does where memory is short. */
async function killedAtWork(): Promise<void> {
  const before = new Map<number, number>();
  for (const pid of await judgesOf(process.pid)) before.set(pid, await cpuMs(pid));
  for (;;) {
    for (const pid of await judgesOf(process.pid)) {
      if ((await cpuMs(pid)) - (before.get(pid) ?? 0) < WORKS_MS) continue;
      process.kill(pid, 'SIGKILL');
      return;
    }
    await delay(10);
  }
}

test('a judge that is killed whenever a question is asked has judged it; killed once or twice it has not', async () => {
  const own = new Judge();
  for (let kills = 1; kills <= MAX_KILLS; kills++) {
    const asked = own.predicate('short of memory', STALLS, LONG_A).catch(({ code }: IsomorphError) => code);
    await killedAtWork();
    const given = await asked;
    if (kills < MAX_KILLS) assert.is(given, 'ERR_UNAVAILABLE', `after ${kills} kills`);
    else assert.match((given as JudgedPredicate).found, /^too costly to judge: more memory than there is for a judge/);
  }
  assert.is((await own.predicate('p', holds('a'), documentOf('{"a": 1}'))).ok, true, 'others are judged');
  await own.close();
});

test('a judge pays for its own start: whoever asks it first is answered by it, whatever the question is made of', async () => {
  for (const [index, first] of [matches({ type: 'string', pattern: '^b' }), holds('sort_by(list, &n)[0]')].entries()) {
    const own = new Judge();
    const born = await judgesOf(process.pid);
    await own.faults('p', { kind: 'call', call: first, pointer: '/p' });
    await own.faults('p', { kind: 'call', call: matches({ items: { maxLength: index + 1 } }), pointer: '/p' });
    assert.equal(await judgesOf(process.pid), born, 'none of them was replaced');
    own.close();
  }
});

test('where memory is short the kernel is to take a judge before any service', async () => {
  await judge.predicate('p', holds('a'), documentOf('{"a": 1}'));
  const [pid] = await judgesOf(process.pid);
  assert.is((await readFile(`/proc/${pid}/oom_score_adj`, 'utf8')).trim(), '1000');
});

test('a judge ends with its parent, also when that is killed as it asks', async () => {
  const parent = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), PARENT], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pids = String(await once(parent.stdout, 'data'))
    .trim()
    .split(' ')
    .map(Number);
  parent.kill('SIGKILL');
  assert.ok(pids.length > 0);
  for (const pid of pids) await gone(pid);
});

test.run();
