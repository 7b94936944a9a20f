import * as assert from 'uvu/assert';
import { understood } from '../../shared/ledger/meaning.ts';
import { Verifier } from '../../shared/ledger/verify.ts';
import { readStream } from '../../shared/nats/read.ts';
import type { DeadLetter } from '../../shared/wire/dead.ts';
import { decodeCommit, LEDGER_STREAM, planSubjects } from '../../shared/wire/ledger.ts';
import { probePlan } from '../harness/probe-plan.ts';
import { heard, startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';

const test = suite('bad commands');

let its: TestStack;
test.before(async () => {
  its = await startTestStack({ services: ['admission', 'dispatcher', 'settler'] });
});
test.after(() => its.stop());

async function deadLetter(planId: string, body: string): Promise<DeadLetter['fault']> {
  const letter = JSON.parse(
    await heard(its.client, `dead.commands.anonymous.${planId}`, () => its.submit(body)),
  ) as DeadLetter;
  return letter.fault;
}

/** The faults of a plan that admission rejects. */
async function rejection(plan: { plan_id: string }) {
  await its.submit(plan);
  const { phase, rejected } = await its.ended(plan.plan_id);
  assert.is(phase, 'rejected');
  return rejected?.faults ?? [];
}

test('a command that is no JSON is a dead letter with its reason', async () => {
  assert.is((await deadLetter('_', 'plan_id: yaml')).code, 'ERR_NOT_JSON');
  assert.is((await deadLetter('_', '[1]')).code, 'ERR_SCHEMA');
});

test('a command that two readers would take differently is a dead letter with its place', async () => {
  const twice = await deadLetter(
    'twice',
    '{"plan_id":"twice","budget":{"limit_usd_micro":1},"budget":{"limit_usd_micro":9}}',
  );
  assert.equal([twice.code, twice.pointer], ['ERR_NOT_I_JSON', '/budget']);
  const large = JSON.stringify(probePlan('large-n', { params: { n: 0 } })).replace('"n":0', '"n":12345678901234567891');
  const beyond = await deadLetter('large-n', large);
  assert.equal([beyond.code, beyond.pointer], ['ERR_NOT_I_JSON', '/steps/0/params/n']);
});

test('a command whose fault would be larger than a message is a dead letter with the beginning of it', async () => {
  const fault = await deadLetter('large-fault', `{"plan_id":"large-fault","${'/'.repeat(600_000)}":1e999}`);
  assert.is(fault.code, 'ERR_NOT_I_JSON');
  assert.ok((fault.pointer ?? '').startsWith('/~1~1'));
});

test('a command without a usable plan_id is a dead letter that names the place', async () => {
  const fault = await deadLetter('_', JSON.stringify({ plan_id: 'Upper Case' }));
  assert.is(fault.code, 'ERR_PLAN_ID');
  assert.is(fault.pointer, '/plan_id');
});

test('a plan of more than 256 KiB is a dead letter', async () => {
  const fault = await deadLetter('large', JSON.stringify(probePlan('large', {}, { title: 'x'.repeat(300_000) })));
  assert.is(fault.code, 'ERR_TOO_LARGE');
});

test('text that canonical JSON cannot hold is a dead letter', async () => {
  const body = `{"plan_id":"surrogate","title":"\\ud800"}`;
  assert.is((await deadLetter('surrogate', body)).code, 'ERR_NOT_I_JSON');
});

test('10,001 steps are rejected at /steps', async () => {
  const steps = Array.from({ length: 10_001 }, () => ({ id: 's' }));
  const [fault] = await rejection({ ...probePlan('many'), steps } as never);
  assert.is(fault?.code, 'ERR_SCHEMA');
  assert.match(fault?.pointer ?? '', /^\/steps/);
});

test('missing and unknown fields are rejected, each with its place', async () => {
  const faults = await rejection({ plan_id: 'fields', steps: [{ id: 'a', colour: 'red' }] } as never);
  const places = faults.map(({ pointer, expected }) => `${pointer} ${expected}`);
  assert.ok(places.includes(' a field "budget"'), places.join('; '));
  assert.ok(places.includes('/steps/0 a field "processor"'), places.join('; '));
  assert.ok(places.includes('/steps/0/colour no such field'), places.join('; '));
});

test('every reason is told at once', async () => {
  const plan = {
    plan_id: 'reasons',
    budget: { limit_usd_micro: 10 },
    steps: [
      { id: 'a', processor: 'no/such@1', needs: ['ghost'] },
      { id: 'b', processor: 'test/probe@1', params: { mode: 'dance' }, write_prefix: '/artifacts/outputs/other/' },
      { id: 'b', processor: 'test/probe@1', inputs: { third: '/artifacts/x', first: '/streams/%2e%2e/x' } },
    ],
    predicates: [{ use: 'artifact.shines@1' }],
  };
  const found = (await rejection(plan)).map(({ code, pointer }) => `${code} ${pointer}`).sort();
  assert.equal(found, [
    'ERR_DOT_SEGMENTS /steps/2/inputs/first',
    'ERR_DUPLICATE_STEP /steps/2/id',
    'ERR_INPUT_UNDECLARED /steps/2/inputs/third',
    'ERR_PARAMS /steps/1/params/mode',
    'ERR_POLICY /steps/1/write_prefix',
    'ERR_UNKNOWN_NEED /steps/0/needs/0',
    'ERR_UNKNOWN_PREDICATE /predicates/0/use',
    'ERR_UNKNOWN_PROCESSOR /steps/0/processor',
  ]);
});

test('a circle of needs is named', async () => {
  const step = (id: string, need: string) => ({ id, processor: 'test/probe@1', needs: [need] });
  const [fault] = await rejection(probePlan('circle', {}, { steps: [step('a', 'c'), step('b', 'a'), step('c', 'b')] }));
  assert.is(fault?.code, 'ERR_CYCLE');
  assert.match(fault?.message ?? '', /a → c → b → a/);
});

test('a budget that does not cover one attempt of every step is rejected with what it takes', async () => {
  const [fault] = await rejection(probePlan('poor', {}, { budget: { limit_usd_micro: 399 } }));
  assert.equal([fault?.code, fault?.expected], ['ERR_BUDGET_BOUND', 'at least 400']);
});

test('a secret that does not exist refuses admission by name', async () => {
  const [fault] = await rejection(probePlan('secretive', { processor: 'test/keeper@1' }));
  assert.is(fault?.code, 'ERR_MISSING_SECRET');
  assert.match(fault?.message ?? '', /PROBE_TOKEN/);
});

test('the same plan twice is one run; the same id with another body is refused', async () => {
  const plan = probePlan('twice');
  await its.submit(plan);
  const first = await its.ended('twice');
  const reordered = { steps: plan.steps, budget: plan.budget, plan_id: plan.plan_id };
  await its.submit(reordered);
  const fault = await deadLetter('twice', JSON.stringify(probePlan('twice', { params: { value: 2 } })));
  assert.is(fault.code, 'ERR_PLAN_CONFLICT');
  const after = await its.read('twice');
  assert.equal(after.state.head, first.head);
});

test('a rejected plan gives its id back: the plan put right runs to its end in the same chain, which verifies', async () => {
  const planId = 'again';
  await rejection(probePlan(planId, { processor: 'no/such@1' }));
  const end = its.client.subscribe(`ledger.${planId}.plan.settled`, { max: 1 });
  await its.client.flush();
  await its.submit(probePlan(planId));
  for await (const _ of end) break;
  const { state } = await its.read(planId);
  assert.is(state.settled?.status, 'succeeded');
  const verifier = new Verifier();
  const kinds: string[] = [];
  const lines = readStream(its.core, { stream: LEDGER_STREAM, filter: planSubjects(planId), fromSeq: 1 });
  for await (const message of lines) {
    for (const { raw } of decodeCommit(message.data, message.subject)) {
      kinds.push(raw.kind);
      verifier.event(understood(raw), `message ${message.seq}`);
    }
  }
  assert.equal(verifier.verdict().findings, []);
  assert.equal(kinds.slice(0, 4), ['plan.submitted', 'plan.rejected', 'plan.submitted', 'plan.admitted']);
  const fault = await deadLetter(planId, JSON.stringify(probePlan(planId, { processor: 'no/such@1' })));
  assert.is(fault.code, 'ERR_PLAN_CONFLICT', 'the id is taken now');
});

test('cancelling a plan that does not exist is a dead letter', async () => {
  const cancel = () => its.client.request('plans.cancel', JSON.stringify({ plan_id: 'nobody' }));
  const letter = JSON.parse(await heard(its.client, 'dead.commands.anonymous.nobody', cancel)) as DeadLetter;
  assert.is(letter.fault.code, 'ERR_PLAN_UNKNOWN');
});

test('a message on a ledger subject that is no event disturbs nobody', async () => {
  const plan = probePlan('junk', { params: { work_ms: 300 } });
  await heard(its.client, 'ledger.junk.execution.started', () => its.submit(plan));
  its.core.publish('ledger.junk.execution.succeeded', 'no event');
  its.core.publish('ledger.junk.whatever', JSON.stringify({ kind: 'plan.settled' }));
  const state = await its.ended('junk');
  assert.is(state.settled?.status, 'succeeded');
});

test.run();
