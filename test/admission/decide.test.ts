import * as assert from 'uvu/assert';
import { parseSubmission } from '../../services/admission/command.ts';
import { decideSubmit, ruleOn } from '../../services/admission/decide.ts';
import { canonicalText } from '../../shared/hash/canonical.ts';
import { encodeCommit, seal } from '../../shared/ledger/chain.ts';
import { emptyState } from '../../shared/ledger/state.ts';
import { PLAN_LIMITS } from '../../shared/plan/plan.ts';
import { probePlan } from '../harness/probe-plan.ts';
import { suite } from '../harness/suite.ts';
import { given } from '../ledger/given.ts';
import { Chain, START_MS } from '../ledger/plan-history.ts';
import { after, deployment, OPTIONS, registry, rulingOf, submission } from './ruled-plan.ts';

const test = suite('admission');

test('a good plan is submitted and admitted in one commit, with the documents that it names', () => {
  const ruling = rulingOf(probePlan('good', {}, { timeout_s: 60 }));
  const { submitted, admitted } = ruling;
  assert.match(submitted.path, /^\/artifacts\/plans\/good\/plan-[0-9a-f]{16}\.json$/);
  const { kind: decided, drafts } = decideSubmit(emptyState('good'), { ruling, ...OPTIONS });
  assert.is(decided, 'admitted');
  assert.equal(
    drafts.map(({ kind }) => kind),
    ['plan.submitted', 'plan.admitted'],
  );
  const state = after(emptyState('good'), ruling);
  assert.is(state.submitted?.plan_cid, submitted.cid);
  assert.is(state.admitted?.admitted_cid, admitted?.document.cid);
  assert.is(state.admitted?.deadline, new Date(START_MS + 60_000).toISOString());
  assert.is(canonicalText(admitted?.plan), new TextDecoder().decode(admitted?.document.bytes));
});

test('the same submission is ruled the same way, byte for byte, however it is written', () => {
  const plan = probePlan('same', { params: { value: 1, work_ms: 2 } });
  const { budget, plan_id } = plan;
  const reordered = {
    steps: [{ params: { work_ms: 2, value: 1 }, processor: 'test/probe@1', id: 'probe' }],
    budget,
    plan_id,
  };
  const spaced = parseSubmission(Buffer.from(`\n  ${JSON.stringify(plan, null, 3)}\n`));
  assert.equal(rulingOf(reordered), rulingOf(plan));
  assert.equal(spaced.ok && ruleOn(spaced.value, registry, deployment), rulingOf(plan));
  assert.equal(rulingOf(plan), rulingOf(plan));
});

test('the same plan again is a duplicate, whatever has become of it', () => {
  const ruling = rulingOf(probePlan('plan'));
  const admitted = after(emptyState('plan'), ruling);
  const duplicate = { kind: 'duplicate', drafts: [] };
  assert.equal(decideSubmit(admitted, { ruling, ...OPTIONS }), duplicate);
  assert.equal(decideSubmit({ ...admitted, phase: 'settled' }, { ruling, ...OPTIONS }), duplicate);
  const bad = rulingOf(probePlan('plan', { processor: 'no/such@1' }));
  assert.equal(decideSubmit(after(emptyState('plan'), bad), { ruling: bad, ...OPTIONS }), duplicate);
});

test('another body under the id of an admitted plan is a conflict that names the body which has it', () => {
  const first = rulingOf(probePlan('plan'));
  const second = rulingOf(probePlan('plan', { params: { value: 2 } }));
  const decision = decideSubmit(after(emptyState('plan'), first), { ruling: second, ...OPTIONS, commandSeq: 8 });
  assert.is(decision.kind, 'conflict');
  if (decision.kind !== 'conflict') return;
  assert.equal([decision.fault.code, decision.fault.pointer], ['ERR_PLAN_CONFLICT', '/plan_id']);
  assert.match(decision.fault.expected ?? '', first.submitted.cid);
});

const BAD = rulingOf(probePlan('plan', { processor: 'no/such@1' }));

/** A plan that these commands were rejected for, in this order. */
function rejectedBy(...commandSeqs: readonly number[]): Chain {
  const chain = new Chain('plan');
  for (const commandSeq of commandSeqs) {
    const { kind, drafts } = decideSubmit(chain.state, { ruling: BAD, ...OPTIONS, commandSeq });
    assert.is(kind, 'rejected', `command ${commandSeq}`);
    chain.append('admission', drafts);
  }
  return chain;
}

test('a rejected plan gives its id back: another command is judged anew, with the same body or another', () => {
  const { decision, state } = given(rejectedBy(7, 9), 'admission').when(decideSubmit, {
    ...{ ruling: rulingOf(probePlan('plan')), ...OPTIONS },
    commandSeq: 12,
  });
  assert.is(decision.kind, 'admitted');
  assert.equal([state.phase, state.rejected, state.submitted?.command_seq], ['admitted', undefined, 12]);
});

test('a command that was rejected and comes again is a duplicate, whichever was rejected last', () => {
  for (const commandSeq of [7, 9]) {
    const decision = decideSubmit(rejectedBy(7, 9).state, { ruling: BAD, ...OPTIONS, commandSeq });
    assert.equal(decision, { kind: 'duplicate', drafts: [] }, `command ${commandSeq}`);
  }
});

test('a command that an admitted plan came after is no second run of it', () => {
  const chain = rejectedBy(7);
  const { drafts } = decideSubmit(chain.state, { ruling: rulingOf(probePlan('plan')), ...OPTIONS, commandSeq: 9 });
  const admitted = chain.append('admission', drafts);
  const again = decideSubmit(admitted.state, { ruling: BAD, ...OPTIONS });
  assert.is(again.kind, 'duplicate', 'it was answered before');
});

test('a bad plan is submitted and rejected in one commit, with every reason', () => {
  const ruling = rulingOf(probePlan('plan', { processor: 'no/such@1', needs: ['ghost'] }));
  const { phase, rejected } = after(emptyState('plan'), ruling);
  assert.is(phase, 'rejected');
  assert.is(rejected?.fault_count, 2);
  assert.equal(rejected?.faults.map(({ code }) => code).sort(), ['ERR_UNKNOWN_NEED', 'ERR_UNKNOWN_PROCESSOR']);
});

test('a plan with thousands of faults is rejected inside the limits of an event, and their number is told', () => {
  const steps = Array.from({ length: 3_000 }, (_, index) => ({ id: `s${index}`, processor: 'no/such@1' }));
  const ruling = rulingOf(probePlan('plan', {}, { steps }));
  const state = after(emptyState('plan'), ruling);
  assert.is(state.rejected?.fault_count, 3_000);
  assert.is(state.rejected?.faults.length, 50);
  const { drafts } = decideSubmit(emptyState('plan'), { ruling, ...OPTIONS });
  // Throws when an event is larger than its limit.
  encodeCommit(seal(emptyState('plan').head, drafts, { planId: 'plan', by: 'admission', nowMs: START_MS }));
});

test('leases are declared when the deployment says so, and never enforced', () => {
  const leases = [{ selector: '/artifacts/outputs/plan/**', mode: 'write' }];
  const ruling = rulingOf(probePlan('plan', { leases }));
  const kinds = (declareLeases: boolean) =>
    decideSubmit(emptyState('plan'), { ruling, ...OPTIONS, declareLeases }).drafts.map(({ kind }) => kind);
  assert.equal(kinds(true), ['plan.submitted', 'lease.declared', 'plan.admitted']);
  assert.equal(kinds(false), ['plan.submitted', 'plan.admitted']);
});

test('steps are frozen in an order in which each stands behind what it needs', () => {
  const one = (id: string, needs: string[], inputs = {}) => ({ id, processor: 'test/probe@1', needs, inputs });
  const steps = [one('c', ['b']), one('b', [], { first: { step: 'a', output: 'out.json' } }), one('a', [])];
  const plan = rulingOf(probePlan('plan', {}, { steps })).admitted?.plan;
  assert.equal(
    plan?.steps.map(({ id, needs }) => [id, needs]),
    [
      ['a', []],
      ['b', ['a']],
      ['c', ['b']],
    ],
  );
  assert.is(plan?.steps[1]?.inputs.first, '/artifacts/outputs/plan/a/out.json');
});

test('a plan of 5,000 steps in a chain is admitted', () => {
  const steps = Array.from({ length: 5_000 }, (_, index) => ({
    id: `s${index}`,
    processor: 'test/probe@1',
    ...(index === 0 ? {} : { needs: [`s${index - 1}`] }),
  })).reverse();
  const document = { plan_id: 'large', budget: { limit_usd_micro: 5_000 * 400 }, steps };
  assert.ok(JSON.stringify(document).length < PLAN_LIMITS.bytes * 1.5);
  const startMs = performance.now();
  // Beyond 256 KiB a command is refused before it is ruled: what counts here is the number of steps.
  const ruling = ruleOn({ ...submission(probePlan('large')), document }, registry, deployment);
  process.stdout.write(`(5,000 steps ruled in ${Math.round(performance.now() - startMs)} ms) `);
  assert.equal(ruling.faults, []);
  assert.equal(ruling.admitted?.plan.steps.length, 5_000);
  assert.is(ruling.admitted?.plan.steps[0]?.id, 's0');
});

test('a plan may have 256 KiB in canonical form and no byte more', () => {
  const sized = (bytes: number) => {
    const plan = probePlan('large', {}, { note: '' });
    const missing = bytes - Buffer.byteLength(canonicalText(plan));
    return parseSubmission(Buffer.from(JSON.stringify({ ...plan, note: 'x'.repeat(missing) }, null, 2)));
  };
  assert.is(sized(PLAN_LIMITS.bytes).ok, true);
  const refused = sized(PLAN_LIMITS.bytes + 1);
  assert.equal(refused.ok || [refused.fault.code, refused.planId], ['ERR_TOO_LARGE', 'large']);
});

test('a command that names no plan is refused with its place', () => {
  const refusalOf = (text: string | Uint8Array) => {
    const parsed = parseSubmission(Buffer.from(text));
    return parsed.ok ? 'accepted' : `${parsed.fault.code} ${parsed.fault.pointer}`;
  };
  assert.is(refusalOf('plan: yaml'), 'ERR_NOT_JSON ');
  assert.is(refusalOf(''), 'ERR_NOT_JSON ');
  assert.is(refusalOf(Uint8Array.of(0x22, 0xff, 0x22)), 'ERR_NOT_JSON ');
  for (const text of ['null', '[]', '"plan"', '7']) assert.is(refusalOf(text), 'ERR_SCHEMA ', text);
  for (const id of ['', 'Plan', 'a.b', '-a', 'a'.repeat(64), 7, null, undefined, '../x']) {
    assert.is(refusalOf(JSON.stringify({ plan_id: id })), 'ERR_PLAN_ID /plan_id', String(id));
  }
  assert.is(refusalOf(JSON.stringify({ plan_id: 'a'.repeat(63) })), 'accepted');
});

const SCRATCH = {
  kv: { ttl: 's', maxValueBytes: 1_000, durable: true },
  queue: { dedupeS: 300, redeliverAfterAck: true, maxDelayS: 900, durable: true },
} as const;

/** The faults of a plan whose step asks for this, as [place, expected]. */
function refusals(requires: unknown, scratch: Partial<typeof SCRATCH> = SCRATCH): unknown[] {
  const configured = { ...deployment, ...scratch };
  const ruling = ruleOn(submission(probePlan('plan', { requires })), registry, configured);
  const faults = after(emptyState('plan'), ruling).rejected?.faults ?? [];
  return faults.map(({ code, pointer, expected }) => [code, pointer, expected]);
}

test('a step that asks for what the configured scratch offers is admitted', () => {
  assert.equal(refusals({ kv: { ttl: 's', max_value_bytes: 1_000, durable: true } }), []);
  assert.equal(refusals({ queue: { dedupe_s: 300, max_delay_s: 60 } }), []);
  assert.equal(refusals({ kv: {}, queue: {} }), []);
});

test('a step that asks for more is refused by the name of what is missing', () => {
  const at = '/steps/0/requires';
  assert.equal(refusals({ kv: { ttl: 'ms', max_value_bytes: 1_001 } }), [
    ['ERR_CAPABILITY', `${at}/kv/ttl`, '"ms"'],
    ['ERR_CAPABILITY', `${at}/kv/max_value_bytes`, 'at least 1001'],
  ]);
  assert.equal(refusals({ queue: { redeliver_after_ack: false, dedupe_survives_restart: true } }), [
    ['ERR_CAPABILITY', `${at}/queue/redeliver_after_ack`, 'false'],
    ['ERR_CAPABILITY', `${at}/queue/dedupe_survives_restart`, 'true'],
  ]);
  const noQueue = { kv: SCRATCH.kv };
  assert.equal(refusals({ queue: {} }, noQueue), [['ERR_CAPABILITY', `${at}/queue`, 'a deployment with QUEUE_URL']]);
});

test('a processor that uses scratch is refused where none is configured', () => {
  const expected = 'a deployment with KV_URL';
  const plan = probePlan('plan', { processor: 'test/purged@1' });
  const { rejected } = after(emptyState('plan'), rulingOf(plan));
  assert.equal(
    rejected?.faults.map((one) => [one.code, one.pointer, one.expected]),
    [['ERR_CAPABILITY', '/steps/0/processor', expected]],
  );
});

test.run();
