import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import * as assert from 'uvu/assert';
import { delay } from '../../shared/async/delay.ts';
import { canonicalBytes } from '../../shared/hash/canonical.ts';
import { cidOf } from '../../shared/hash/cid.ts';
import { CONSUMERS } from '../../shared/wire/consumers.ts';
import { DEAD_STREAM } from '../../shared/wire/dead.ts';
import { probePlan } from '../harness/probe-plan.ts';
import { ServiceProcess } from '../harness/service-process.ts';
import { heard, startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';

/** Each sleeper costs the 10 s after which its open request for messages is no more. */
const test = suite('order of commands of one plan', undefined, { timeoutMs: 180_000 });

let its: TestStack;
let jsm: JetStreamManager;
test.before(async () => {
  its = await startTestStack({ services: ['dispatcher', 'settler'] });
  jsm = await jetstreamManager(its.core);
});
test.after(() => its.stop());

const admission = () => new ServiceProcess('admission', its.stack.serviceEnv);
const { stream, durable } = CONSUMERS.admission;

const cancel = (planId: string) =>
  its.client.request('plans.cancel', JSON.stringify({ plan_id: planId }), { timeout: 10_000 });
const hanging = (planId: string) => probePlan(planId, { params: { mode: 'hang' } });
const submit = (planId: string) => its.submit(hanging(planId));

/** Once the consumer of commands is so. */
async function consumerIs(isSo: (counts: { held: number; asking: number }) => boolean): Promise<void> {
  for (;;) {
    const { num_ack_pending: held, num_waiting: asking } = await jsm.consumers.info(stream, durable);
    if (isSo({ held, asking })) return;
    await delay(50);
  }
}

/**
 * Gives a command to a copy of admission that falls asleep over it, and starts another one when the first can get nothing
 * more. What it holds is delivered again after so long.
 */
async function fallAsleepOver(command: () => Promise<unknown>, ackWaitS: number) {
  await jsm.consumers.update(stream, durable, { ack_wait: ackWaitS * 1_000_000_000 });
  const asleep = admission();
  await consumerIs(({ asking }) => asking === 1);
  asleep.pause();
  await command();
  await consumerIs(({ held }) => held === 1);
  await consumerIs(({ asking }) => asking === 0);
  return { asleep, awake: admission() };
}

const waits = (planId: string) => (line: string) =>
  line.includes(`"plan_id":"${planId}"`) && line.includes('a command waits for one stored before it');

const deadLetters = async (): Promise<number> => (await jsm.streams.info(DEAD_STREAM)).state.messages;

test('a cancellation that is acknowledged right after its plan cancels it, twenty times of twenty', async () => {
  const one = admission();
  try {
    const ends: (string | undefined)[] = [];
    for (let count = 0; count < 20; count += 1) {
      await submit(`quick-${count}`);
      await cancel(`quick-${count}`);
    }
    for (let count = 0; count < 20; count += 1) ends.push((await its.ended(`quick-${count}`)).settled?.status);
    assert.equal(ends, Array(20).fill('cancelled'));
    assert.is(await deadLetters(), 0);
  } finally {
    await one.stop();
  }
});

test('a cancellation waits for the submission that another copy sleeps over', async () => {
  const { asleep, awake } = await fallAsleepOver(() => submit('slept-over'), 60);
  try {
    await cancel('slept-over');
    await awake.logged(waits('slept-over'));
    assert.is((await its.read('slept-over')).state.phase, 'absent');
    asleep.resume();
    assert.is((await its.ended('slept-over')).settled?.status, 'cancelled');
    assert.is(await deadLetters(), 0);
  } finally {
    await Promise.all([asleep.stop(), awake.stop()]);
  }
});

test('of a copy that never wakes the other takes the submission over, and then the cancellation', async () => {
  const { asleep, awake } = await fallAsleepOver(() => submit('never-woken'), 12);
  try {
    await cancel('never-woken');
    assert.is((await its.ended('never-woken')).settled?.status, 'cancelled');
    assert.is(await deadLetters(), 0);
  } finally {
    await Promise.all([asleep.stop(), awake.stop()]);
  }
});

test('of two bodies under one id the first one stored has it, whoever sleeps', async () => {
  const { asleep, awake } = await fallAsleepOver(() => submit('two-bodies'), 60);
  try {
    await its.submit(probePlan('two-bodies', { params: { value: 2 } }));
    await awake.logged(waits('two-bodies'));
    const letter = heard(its.client, 'dead.commands.anonymous.two-bodies', async () => asleep.resume());
    assert.is(JSON.parse(await letter).fault.code, 'ERR_PLAN_CONFLICT');
    await cancel('two-bodies');
    const { settled, submitted } = await its.ended('two-bodies');
    assert.equal([settled?.status, submitted?.plan_cid], ['cancelled', cidOf(canonicalBytes(hanging('two-bodies')))]);
  } finally {
    await Promise.all([asleep.stop(), awake.stop()]);
  }
});

test('a sleeper that wakes with a cancellation from before the plan does not end it', async () => {
  const { asleep, awake } = await fallAsleepOver(() => cancel('reborn'), 12);
  try {
    const letter = heard(its.client, 'dead.commands.anonymous.reborn', () => submit('reborn'));
    assert.is(JSON.parse(await letter).fault.code, 'ERR_PLAN_UNKNOWN');
    await consumerIs(({ held }) => held === 0);
    asleep.resume();
    // It tells of what it did with it.
    await heard(its.client, 'dead.commands.anonymous.reborn');
    assert.is((await its.read('reborn')).state.cancelRequested, undefined);
    await cancel('reborn');
    assert.is((await its.ended('reborn')).settled?.status, 'cancelled');
  } finally {
    await Promise.all([asleep.stop(), awake.stop()]);
  }
});

test.run();
