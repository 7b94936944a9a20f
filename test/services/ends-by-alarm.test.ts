import { jetstreamManager } from '@nats-io/jetstream';
import * as assert from 'uvu/assert';
import { delay } from '../../shared/async/delay.ts';
import type { PlanState } from '../../shared/ledger/state.ts';
import { connectNats } from '../../shared/nats/connect.ts';
import { ALARMS_STREAM, alarmSubject } from '../../shared/wire/alarms.ts';
import { CONSUMERS } from '../../shared/wire/consumers.ts';
import { WORK_STREAM } from '../../shared/wire/work.ts';
import { probePlan } from '../harness/probe-plan.ts';
import { ServiceProcess } from '../harness/service-process.ts';
import { scaledMs } from '../harness/slowness.ts';
import { heard, startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';

const test = suite('what ends by its alarm', undefined, { timeoutMs: 240_000 });

let its: TestStack;
let dispatcher: ServiceProcess;
test.before(async () => {
  its = await startTestStack({ services: ['admission', 'settler'] });
  dispatcher = new ServiceProcess('dispatcher', its.stack.serviceEnv);
  await dispatcher.logged((line) => line.includes('"started"'));
});
test.after(async () => {
  await dispatcher?.stop();
  await its?.stop();
});

/** An admin of the server, for what no service may. */
async function asAdmin<T>(use: (jsm: Awaited<ReturnType<typeof jetstreamManager>>) => Promise<T>): Promise<T> {
  const connection = await connectNats({ url: its.stack.info.nats.adminUrl ?? '', name: 'test-admin' });
  try {
    return await use(await jetstreamManager(connection));
  } finally {
    await connection.close();
  }
}

const endOf = ({ executions }: PlanState) =>
  [...executions.values()].map(({ end }) => (end?.status === 'failed' ? end.code : end?.status));

const codesOf = ({ settled }: PlanState) => settled?.faults.map(({ code }) => code) ?? [];

/** Within this a plan ends behind its cancellation or deadline, whatever is broken. */
const WITHIN_MS = 10_000;

/** By the clock of the ledger alone. */
function lateMs({ settledAt, cancelRequestedAt }: PlanState): number {
  return Date.parse(settledAt ?? '') - Date.parse(cancelRequestedAt ?? '');
}

async function cancel(planId: string): Promise<void> {
  await its.client.request('plans.cancel', JSON.stringify({ plan_id: planId }), { timeout: scaledMs(10_000) });
}

test('a plan that ended has no alarm any more', async () => {
  await its.submit(probePlan('quick'));
  assert.is((await its.ended('quick')).settled?.status, 'succeeded');
  const jsm = await jetstreamManager(its.core);
  for (;;) {
    const { state } = await jsm.streams.info(ALARMS_STREAM, { subjects_filter: alarmSubject('quick') });
    if (Object.keys(state.subjects ?? {}).length === 0) break;
    await delay(20);
  }
});

test('an execution that sleeps with its dispatcher keeps its plan open no longer than the grace behind a cancellation', async () => {
  const running = probePlan('asleep', { params: { work_ms: 600_000 } });
  await heard(its.client, 'ledger.asleep.execution.started', () => its.submit(running));
  dispatcher.pause();
  const other = new ServiceProcess('dispatcher', its.stack.serviceEnv);
  try {
    await other.logged((line) => line.includes('"started"'));
    await cancel('asleep');
    const state = await its.ended('asleep');
    assert.equal([state.settled?.status, endOf(state)], ['cancelled', ['lost']]);
    assert.ok(lateMs(state) < scaledMs(WITHIN_MS), `${lateMs(state)} ms`);
    assert.is(state.budget.held, 0);
  } finally {
    dispatcher.resume();
    await other.stop();
  }
});

test('a plan whose work was deleted before anybody took it ends at its own deadline', async () => {
  await dispatcher.stop();
  const busy = new ServiceProcess('dispatcher', { ...its.stack.serviceEnv, ISOMORPH_SLOTS: '1' });
  try {
    const long = probePlan('takes-the-slot', { params: { work_ms: 600_000 } });
    await heard(its.client, 'ledger.takes-the-slot.execution.started', () => its.submit(long));
    const waiting = probePlan('deleted', {}, { timeout_s: 4 });
    await heard(its.client, 'ledger.deleted.execution.scheduled', () => its.submit(waiting));
    await asAdmin((jsm) => jsm.streams.purge(WORK_STREAM));
    const state = await its.ended('deleted');
    assert.equal([state.settled?.status, codesOf(state)], ['failed', ['ERR_TIMEOUT']]);
    const lateByMs = Date.parse(state.settledAt ?? '') - Date.parse(state.admitted?.deadline ?? '');
    assert.ok(lateByMs < scaledMs(WITHIN_MS), `${lateByMs} ms`);
    await cancel('takes-the-slot');
    assert.is((await its.ended('takes-the-slot')).settled?.status, 'cancelled');
  } finally {
    await busy.stop();
    await dispatcher.restart();
    await dispatcher.logged((line) => line.includes('"started"'));
  }
});

test('a step that waits for a slot longer than it may fails for that, and costs nothing', async () => {
  await dispatcher.stop();
  const busy = new ServiceProcess('dispatcher', { ...its.stack.serviceEnv, ISOMORPH_SLOTS: '1' });
  try {
    const long = probePlan('long', { params: { work_ms: 600_000 } });
    await heard(its.client, 'ledger.long.execution.started', () => its.submit(long));
    await its.submit(probePlan('queued', { queue_timeout_s: 2 }));
    const state = await its.ended('queued');
    assert.equal([state.settled?.status, codesOf(state), state.budget.spent], ['failed', ['ERR_QUEUE_TIMEOUT'], 0]);
    await cancel('long');
    await its.ended('long');
  } finally {
    await busy.stop();
    await dispatcher.restart();
    await dispatcher.logged((line) => line.includes('"started"'));
  }
});

test('alarms that were lost with their stream are set anew', async () => {
  const waits = probePlan('healed', { params: { work_ms: 600_000 } }, { timeout_s: 20 });
  await heard(its.client, 'ledger.healed.execution.started', () => its.submit(waits));
  await asAdmin((jsm) => jsm.streams.delete(ALARMS_STREAM));
  // The stack makes it anew, and the dispatcher looks at what is open.
  await dispatcher.logged((line) => line.includes('open plans had no alarm'));
  const state = await its.ended('healed');
  assert.equal([state.settled?.status, codesOf(state)], ['failed', ['ERR_TIMEOUT']]);
});

test('a consumer of alarms that is gone is made anew by the dispatcher', async () => {
  const { stream, durable } = CONSUMERS.alarms;
  await asAdmin((jsm) => jsm.consumers.delete(stream, durable));
  await dispatcher.logged((line) => line.includes('the consumer was gone') && line.includes(durable));
  await its.submit(probePlan('after', { params: { work_ms: 600_000 } }, { timeout_s: 2 }));
  assert.equal(codesOf(await its.ended('after')), ['ERR_TIMEOUT']);
});

test.run();
