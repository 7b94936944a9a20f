import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { canonicalText } from '../../shared/hash/canonical.ts';
import { cidOf } from '../../shared/hash/cid.ts';
import { suite } from '../harness/suite.ts';
import { importsOf } from '../house/graph.ts';
import { canonical, cidOfText, type Json } from './checker/canonical.ts';
import { Chains, type Event } from './checker/chains.ts';
import { folded } from './checker/fold.ts';
import type { Sight, Stored } from './checker/stored.ts';
import { CONSUMERS, faultText } from './faults.ts';
import { grows, History } from './growth.ts';
import { KNOWN_NAMES } from './known.ts';
import { checkApplies, patchNames, reasonOf } from './patches.ts';
import { SHAPE_NAMES } from './plans.ts';
import { roundPlan } from './round.ts';
import { answerFindings, endingFindings, leftFindings, letterFindings } from './verdict.ts';

const test = suite('parts of the soak');

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

function there<T>(one: T | undefined): T {
  if (one === undefined) throw new Error('it is not there');
  return one;
}

test('the same seed makes the same plans and the same order of faults, another one others', () => {
  assert.equal(roundPlan(7, 5, []), roundPlan(7, 5, []));
  assert.not.equal(roundPlan(7, 5, []), roundPlan(8, 5, []));
  assert.not.equal(roundPlan(7, 5, []).plans, roundPlan(7, 6, []).plans);
});

test('a round has a plan of every shape, and what waits for issue J only when it is asked for', () => {
  const { plans, faults } = roundPlan(3, 0, []);
  assert.equal(
    SHAPE_NAMES.filter((name) => !plans.some(({ shape }) => shape === name)),
    [],
  );
  assert.not.ok(faults.some(({ what }) => what === 'stop' || what === 'delete work'));
  const all = roundPlan(3, 0, KNOWN_NAMES).faults;
  assert.ok(all.some(({ what }) => what === 'stop') && all.some(({ what }) => what === 'delete work'));
  assert.equal(roundPlan(3, 1, []).faults, []);
  assert.match(faultText(there(faults[0])), / after \w+\.\w+ \d$/);
});

test('the checker knows nothing of shared and services', async () => {
  const files = (await readdir(here('./checker'))).map((name) => `./checker/${name}`);
  assert.ok(files.length > 4);
  for (const file of files) {
    const wrong = importsOf(await readFile(here(file), 'utf8')).filter(
      (one) => !/^(\.\/|node:|@nats-io\/|@noble\/|pg$)/.test(one),
    );
    assert.equal(wrong, [], file);
  }
});

test('its canonical form and its hash are those of the standards, as the services have them', () => {
  const value: Json = { é: [1e21, -0, 0.1, 'a\u2028"\\\n'], a: { b: null, '': true }, '\u{1f600}': 1, '\ufb01': 2 };
  assert.is(canonical(value), canonicalText(value));
  assert.is(cidOfText(canonical(value)), cidOf(canonicalText(value)));
});

interface Told {
  readonly kind: string;
  readonly by: string;
  readonly data: Readonly<Record<string, Json>>;
}

/** A chain of a plan, linked and hashed. */
function chainOf(planId: string, told: readonly Told[]): Event[] {
  let head: string | null = null;
  return told.map((one, index) => {
    const rest = { ...one, plan_id: planId, prev_hash: head, seq: index + 1, ts: '2026-01-01T00:00:00.000Z', v: 1 };
    head = cidOfText(canonical(rest));
    return { ...rest, this_hash: head };
  });
}

const messageOf = (event: Event, seq: number): Stored => ({
  subject: `ledger.${event.plan_id}.${event.kind}`,
  seq,
  bytes: Buffer.from(canonical(event as unknown as Json)),
});

const LIFE: readonly Told[] = [
  { kind: 'plan.submitted', by: 'admission', data: { principal: 'anonymous', plan_path: '/p', plan_cid: 'c' } },
  { kind: 'plan.admitted', by: 'admission', data: { budget_limit_usd_micro: 500 } },
  { kind: 'budget.reserved', by: 'dispatcher', data: { execution_id: 'x.a.1', usd_micro: 300 } },
  { kind: 'execution.scheduled', by: 'dispatcher', data: { execution_id: 'x.a.1' } },
  { kind: 'execution.started', by: 'dispatcher', data: { execution_id: 'x.a.1' } },
  { kind: 'execution.succeeded', by: 'dispatcher', data: { execution_id: 'x.a.1' } },
  {
    kind: 'artifact.written',
    by: 'settler',
    data: { path: '/artifacts/executions/x/x.a.1/determinism.json', cid: 'c', sha256: 's', size: 1 },
  },
  {
    kind: 'budget.settled',
    by: 'settler',
    data: { execution_id: 'x.a.1', reserved_usd_micro: 300, actual_usd_micro: 100 },
  },
  {
    kind: 'execution.settled',
    by: 'settler',
    data: { execution_id: 'x.a.1', receipt_path: '/artifacts/executions/x/x.a.1/determinism.json', receipt_cid: 'c' },
  },
  { kind: 'plan.settled', by: 'settler', data: { status: 'succeeded', spent_usd_micro: 100, faults: [] } },
];

const without = (...kinds: readonly string[]): Told[] => LIFE.filter(({ kind }) => !kinds.includes(kind));
const changed = (kind: string, data: Readonly<Record<string, Json>>, by?: string): Told[] =>
  LIFE.map((one) => (one.kind === kind ? { ...one, by: by ?? one.by, data: { ...one.data, ...data } } : one));

test('a life of a plan has no finding, and each that cannot be has one', () => {
  assert.equal(folded(chainOf('x', LIFE)).findings, []);
  const impossible: readonly [told: readonly Told[], finding: RegExp][] = [
    [without('execution.started'), /never started/],
    [without('budget.settled'), /is still held/],
    [without('execution.settled'), /has no receipt/],
    [without('artifact.written'), /its receipt was not written/],
    [changed('execution.settled', { receipt_path: '/artifacts/x' }), /a receipt at/],
    [changed('plan.admitted', { budget_limit_usd_micro: 200 }), /held of 200/],
    [changed('plan.settled', { spent_usd_micro: 1 }), /spent is 100/],
    [changed('plan.settled', {}, 'dispatcher'), /by dispatcher/],
    [[...LIFE, { kind: 'plan.cancel_requested', by: 'admission', data: {} }], /behind the end/],
    [[...LIFE.slice(0, 6), ...LIFE.slice(5)], /ends twice/],
  ];
  for (const [told, finding] of impossible) assert.match(folded(chainOf('x', told)).findings.join('\n'), finding);
});

test('of two events that link to one the second is none of the chain, and neither is what was changed', () => {
  const [first, second] = chainOf('x', LIFE) as [Event, Event];
  const chains = new Chains();
  const forged = { ...messageOf(second, 3), bytes: Buffer.from(canonical({ ...second, ts: 'x' } as unknown as Json)) };
  chains.take([
    messageOf(first, 1),
    messageOf(second, 2),
    messageOf(second, 3),
    forged,
    { ...forged, bytes: Buffer.from('') },
  ]);
  assert.is(chains.byPlan.get('x')?.events.length, 2);
  assert.equal(
    chains.foreign.map(({ why }) => why),
    ['does not link', 'its hash is another', 'no JSON'],
  );
});

const PLANS = new Map(roundPlan(1, 0, []).plans.map((plan) => [plan.id, plan]));
const OF = (shape: string) => there([...PLANS.values()].find((plan) => plan.shape === shape));

test('a plan that ends otherwise than it must is found', () => {
  assert.equal(endingFindings(OF('chain'), folded(chainOf('x', LIFE))), []);
  assert.match(endingFindings(OF('withdrawn'), folded(chainOf('x', LIFE))).join(), /should have ended cancelled/);
  assert.match(endingFindings(OF('meddled'), folded(chainOf('x', LIFE))).join(), /is of anonymous, not of alice/);
  assert.match(endingFindings(OF('chain'), folded([])).join(), /ended none/);
});

test('a dead letter of a harmless plan is found, and one of poison is not', () => {
  const letter = { stream: 'FACTS', seq: 1, code: 'ERR_PLAN_SETTLED', plan: OF('scratch').id };
  assert.equal(letterFindings([{ ...letter, plan: 'poison-1', code: 'ERR_SCHEMA' }], PLANS), []);
  assert.is(letterFindings([letter], PLANS).length, 1);
  assert.is(letterFindings([{ ...letter, code: 'ERR_SCHEMA' }], PLANS).length, 1);
  assert.is(letterFindings([{ ...letter, plan: 'poison-1', code: 'ERR_INTERNAL' }], PLANS).length, 1);
});

test('poison that nobody answered for is found', () => {
  const given = [{ stream: 'COMMANDS', seq: 4, plan: 'poison-1' }];
  const letters = [{ stream: 'COMMANDS', seq: 4, code: 'ERR_SCHEMA', plan: '_' }];
  assert.is(answerFindings({ given, letters: [], foreign: [], plans: new Map() }).length, 1);
  assert.equal(answerFindings({ given, letters, foreign: [], plans: new Map() }), []);
});

test('what is left and what is delivered again and again is found', () => {
  const sight = (left: number, deliveries: number, ...subjects: string[]): Sight => ({
    consumers: CONSUMERS.map(([stream, name]) => ({ stream, name, left, deliveries })),
    streams: [{ name: 'SCRATCH_QUEUE_1', subjects }],
  });
  assert.equal(leftFindings(sight(0, 0), sight(0, 10, 'scratch.queue.1.p.t.lease.4'), 0, []), []);
  assert.match(leftFindings(sight(0, 0), sight(0, 500), 0, []).join(), /again and again/);
  const none: Sight = { consumers: [], streams: [] };
  assert.match(leftFindings(none, none, 0, []).join(), /FACTS has no consumer sampler-2/);
  assert.match(leftFindings(sight(0, 0), sight(1, 1), 0, []).join(), /has 1 messages left/);
  assert.match(
    leftFindings(sight(0, 0), sight(0, 0, 'scratch.queue.1.p.t'), 0, []).join(),
    /holds what settled plans left/,
  );
});

test('memory that grows in every round is found, and a cache that fills is not', () => {
  assert.not.ok(grows([10, 20, 30, 40, 41, 42], 4));
  assert.not.ok(grows([10, 20, 30, 40, 50], 4));
  assert.ok(grows([10, 20, 30, 40, 50, 60], 4));
  const history = new History('settler-1');
  const measure = (pid: number, descriptors: number) => ({ pid, descriptors, rssMb: 80, heapMb: 20 });
  assert.equal(history.add(measure(1, 22), true), []);
  assert.equal(history.add(measure(2, 30), true), []);
  assert.match(history.add(measure(2, 80), true).join(), /has 80 descriptors/);
});

test('every patch still applies, and says why it is one', async () => {
  const names = await patchNames();
  assert.is(names.length, 20);
  for (const name of names) {
    assert.match(await reasonOf(name), /\S/, name);
    await checkApplies(name);
  }
});

test.run();
