import { jetstreamManager } from '@nats-io/jetstream';
import * as assert from 'uvu/assert';
import { delay } from '../../shared/async/delay.ts';
import { cidOf } from '../../shared/hash/cid.ts';
import { type Told, Verifier } from '../../shared/ledger/verify.ts';
import { readStream } from '../../shared/nats/read.ts';
import { parseAdmitted } from '../../shared/plan/admitted-form.ts';
import { audit } from '../../shared/plan/audit.ts';
import { DEAD_STREAM } from '../../shared/wire/dead.ts';
import { FACTS_STREAM } from '../../shared/wire/facts.ts';
import { decodeCommit, LEDGER_STREAM, WHOLE_LEDGER } from '../../shared/wire/ledger.ts';
import { probePlan } from '../harness/probe-plan.ts';
import { heard, startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';

const test = suite('life of a plan');

const TOKEN = 'correct-horse-battery-staple';

let its: TestStack;
test.before(async () => {
  its = await startTestStack({
    services: ['admission', 'dispatcher', 'settler', 'sampler'],
    env: { SECRETS_URL: 'env:', ISOMORPH_SECRET_PROBE_TOKEN: TOKEN },
  });
});
test.after(() => its.stop());

async function run(plan: { plan_id: string }) {
  await its.submit(plan);
  return its.ended(plan.plan_id);
}

const endsOf = (state: Awaited<ReturnType<typeof run>>) =>
  [...state.executions.values()].map(({ executionId, end }) =>
    [executionId, end?.status, end?.status === 'failed' ? end.code : ''].join(' ').trim(),
  );

test('a graph runs in order of its needs and hands outputs on by path and CID', async () => {
  const step = (id: string, value: number, more: Record<string, unknown> = {}) => ({
    id,
    processor: 'test/probe@1',
    params: { value },
    ...more,
  });
  const state = await run(
    probePlan(
      'graph',
      {},
      {
        steps: [
          step('join', 3, {
            inputs: { first: { step: 'left', output: 'out.json' }, second: '/artifacts/outputs/graph/right/out.json' },
            needs: ['right'],
          }),
          step('left', 1),
          step('right', 2),
        ],
        predicates: [
          {
            use: 'artifact.jmespath_ok@1',
            path: '/artifacts/outputs/{plan_id}/join/out.json',
            expression: 'value == `3`',
          },
        ],
      },
    ),
  );
  assert.is(state.settled?.status, 'succeeded');
  const bytes = await its.store.getBytes({ worldPath: '/artifacts/outputs/graph/join/out.json' });
  const inner = (value: number) => JSON.stringify({ value, inputs: {} });
  const expected = JSON.stringify({ value: 3, inputs: { first: inner(1), second: inner(2) } });
  assert.is(new TextDecoder().decode(bytes), expected);
  const started = state.executions.get('graph.join.1')?.started;
  assert.is(started?.inputs.first?.cid, cidOf(inner(1)));
  assert.is(state.artifacts.get('/artifacts/outputs/graph/join/out.json')?.cid, cidOf(expected));
});

test('a receipt tells what went in, what came out and where it ran', async () => {
  const state = await run(probePlan('receipt', { params: { value: 7 } }));
  const settled = state.executions.get('receipt.probe.1')?.settled;
  const bytes = await its.store.getBytes({ worldPath: settled?.receipt_path ?? '' });
  assert.is(cidOf(bytes), settled?.receipt_cid);
  const receipt = JSON.parse(new TextDecoder().decode(bytes));
  assert.is(receipt.params_cid, cidOf('{"value":7}'));
  assert.equal(Object.keys(receipt.output_cids), ['/artifacts/outputs/receipt/probe/out.json']);
  assert.is(receipt.env_fingerprint.adapter, 'mock');
  assert.match(receipt.env_fingerprint.image_digest, /^blake3:/);
  const again = await run(probePlan('receipt-again', { params: { value: 7 } }));
  assert.is(again.executions.get('receipt-again.probe.1')?.settled?.memo_key, receipt.memo_key);
});

test('a failing step is tried again by its policy and may succeed', async () => {
  const retry = { max_attempts: 3, backoff_s: 0.05 };
  const state = await run(probePlan('retried', { params: { fail_attempts: 2 }, retry }));
  assert.is(state.settled?.status, 'succeeded');
  assert.equal(endsOf(state), [
    'retried.probe.1 failed ERR_EXIT',
    'retried.probe.2 failed ERR_EXIT',
    'retried.probe.3 succeeded',
  ]);
});

test('a step that fails for good fails the plan, and what needs it does not run', async () => {
  const steps = [
    { id: 'bad', processor: 'test/probe@1', params: { mode: 'exit1' } },
    { id: 'after', processor: 'test/probe@1', needs: ['bad'] },
  ];
  const state = await run(probePlan('failing', {}, { steps }));
  assert.is(state.settled?.status, 'failed');
  assert.equal(endsOf(state), ['failing.bad.1 failed ERR_EXIT']);
  assert.equal([state.settled?.faults[0]?.code, state.settled?.faults[0]?.pointer], ['ERR_EXIT', '/steps/bad']);
  assert.is(state.budget.held, 0);
  assert.ok(state.budget.spent >= 100);
});

const MISBEHAVIOURS: readonly [mode: string, code: string][] = [
  ['bad_input', 'ERR_EXIT'],
  ['too_large', 'ERR_OUTPUT_TOO_LARGE'],
  ['undeclared', 'ERR_OUTPUT_UNDECLARED'],
  ['nothing', 'ERR_OUTPUT_MISSING'],
];
for (const [mode, code] of MISBEHAVIOURS) {
  test(`a processor with mode ${mode} fails with ${code} and its budget is settled`, async () => {
    const planId = `mode-${mode.replace('_', '-')}`;
    const state = await run(probePlan(planId, { params: { mode }, retry: { max_attempts: 3, backoff_s: 0.01 } }));
    const ends = endsOf(state);
    assert.is(ends[0], `${planId}.probe.1 failed ${code}`);
    // What can never succeed is not tried again.
    if (mode === 'bad_input') assert.is(ends.length, 1);
    assert.equal([state.settled?.status, state.budget.held], ['failed', 0]);
    assert.not.ok(state.artifacts.has(`/artifacts/outputs/${planId}/probe/out.json`));
  });
}

test('a failed execution keeps the tail of its log', async () => {
  const { executionId, end } =
    [...(await run(probePlan('tail', { params: { mode: 'exit1' } }))).executions.values()][0] ?? {};
  assert.is(end?.status, 'failed');
  const log = await its.store.getBytes({ worldPath: `/artifacts/executions/tail/${executionId}/log.txt` });
  assert.match(new TextDecoder().decode(log), /about to fail, as told/);
});

test('a processor that hangs is ended at its deadline', async () => {
  const state = await run(probePlan('hanging', { processor: 'test/hasty@1', params: { mode: 'hang' } }));
  assert.equal(endsOf(state), ['hanging.probe.1 failed ERR_TIMEOUT']);
  assert.equal([state.settled?.status, state.budget.held], ['failed', 0]);
});

test('a cancelled plan ends its runs and starts no more', async () => {
  const steps = [
    { id: 'long', processor: 'test/probe@1', params: { mode: 'hang' } },
    { id: 'after', processor: 'test/probe@1', needs: ['long'] },
  ];
  await heard(its.client, 'ledger.stopped.execution.started', () => its.submit(probePlan('stopped', {}, { steps })));
  await its.client.request('plans.cancel', JSON.stringify({ plan_id: 'stopped' }));
  const state = await its.ended('stopped');
  assert.is(state.settled?.status, 'cancelled');
  assert.equal(endsOf(state), ['stopped.long.1 failed ERR_CANCELLED']);
});

test('a cancelled plan does not wait out the backoff of a retry', async () => {
  const retry = { max_attempts: 2, backoff_s: 3600 };
  const plan = probePlan('backing-off', { params: { fail_attempts: 1 }, retry });
  await its.submit(plan);
  const waiting = async () => (await its.read('backing-off')).state.executions.get('backing-off.probe.2') !== undefined;
  const commits = its.client.subscribe('ledger.backing-off.>');
  await its.client.flush();
  if (!(await waiting())) for await (const _ of commits) if (await waiting()) break;
  await its.client.request('plans.cancel', JSON.stringify({ plan_id: 'backing-off' }));
  const state = await its.ended('backing-off');
  assert.is(state.settled?.status, 'cancelled');
  assert.equal(endsOf(state), ['backing-off.probe.1 failed ERR_EXIT', 'backing-off.probe.2 failed ERR_CANCELLED']);
});

test('a plan that outlives its deadline fails', async () => {
  const state = await run(probePlan('late', { params: { mode: 'hang' } }, { timeout_s: 1 }));
  assert.equal([state.settled?.status, state.settled?.faults[0]?.code], ['failed', 'ERR_TIMEOUT']);
});

test('an input that does not exist fails its step by name', async () => {
  const state = await run(probePlan('hungry', { inputs: { first: '/artifacts/inputs/nothing' } }));
  assert.equal(endsOf(state), ['hungry.probe.1 failed ERR_INPUT_MISSING']);
});

test('a predicate that does not hold fails the plan and says what it found', async () => {
  const predicates = [{ use: 'artifact.jmespath_ok@1', path: 'out.json', expression: 'value > `5`' }];
  const state = await run(probePlan('judged', { params: { value: 4 }, predicates }));
  assert.is(state.settled?.status, 'failed');
  assert.equal(state.settled?.faults[0], {
    code: 'ERR_PREDICATE',
    message: 'artifact.jmespath_ok@1: false',
    pointer: '/steps/0/predicates/0',
  });
});

test('a secret reaches the processor and nothing else', async () => {
  const state = await run(probePlan('keeper', { processor: 'test/keeper@1', params: { mode: 'leak' } }));
  assert.is(state.settled?.status, 'succeeded');
  const log = new TextDecoder().decode(
    await its.store.getBytes({ worldPath: '/artifacts/executions/keeper/keeper.probe.1/log.txt' }),
  );
  assert.match(log, /the token is /);
  assert.not.match(log, TOKEN);
  const end = state.executions.get('keeper.probe.1')?.end;
  assert.equal(end?.status === 'succeeded' && end.environment.present_env_keys, ['PROBE_TOKEN']);
});

test('facts of scratch use become events once, however often they are delivered', async () => {
  const plan = probePlan('facts', { params: { work_ms: 500 } });
  const fact = { kind: 'scratch.kv.changed', data: { key: 'counter', op: 'incr' } };
  const publish = () => its.core.request('facts.facts.kv', JSON.stringify(fact), { timeout: 5_000 });
  await heard(its.client, 'ledger.facts.execution.started', () => its.submit(plan));
  await heard(its.client, 'ledger.facts.scratch.kv.changed', publish);
  const state = await its.ended('facts');
  assert.is(state.facts.size, 1);

  // One that was under way when its plan ended is dropped: nobody did anything wrong.
  await publish();
  const jsm = await jetstreamManager(its.core);
  while ((await jsm.streams.info(FACTS_STREAM)).state.messages > 0) await delay(20);
  const { state: dead } = await jsm.streams.info(DEAD_STREAM, { subjects_filter: 'dead.facts.>' });
  assert.equal([dead.subjects ?? {}, (await its.read('facts')).state.facts.size], [{}, 1]);
});

test('live progress is heard on the stream of the plan', async () => {
  const text = await heard(its.client, 'streams.progressing.progress', () => its.submit(probePlan('progressing')));
  const { fraction, message, step_id } = JSON.parse(text);
  assert.equal({ fraction, message, step_id }, { fraction: 0.5, message: 'half way', step_id: 'probe' });
  await its.ended('progressing');
});

test('what every plan here did is what it was admitted as', async () => {
  const histories = new Map<string, Told[]>();
  const verifier = new Verifier((told) =>
    histories.set(told.event.plan_id, [...(histories.get(told.event.plan_id) ?? []), told]),
  );
  for await (const message of readStream(its.core, { stream: LEDGER_STREAM, filter: WHOLE_LEDGER, fromSeq: 1 })) {
    for (const { raw } of decodeCommit(message.data, message.subject)) verifier.event(raw, `message ${message.seq}`);
  }
  assert.equal(verifier.verdict().findings, []);
  let audited = 0;
  for (const [planId, history] of histories) {
    const { admitted } = verifier.state(planId) ?? {};
    if (admitted === undefined) continue;
    audited += 1;
    const plan = parseAdmitted(await its.store.getBytes({ worldPath: admitted.admitted_path }));
    assert.equal(audit(plan, history), [], planId);
  }
  assert.ok(audited > 10, `${audited} plans`);
});

test.run();
