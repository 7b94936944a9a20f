import * as assert from 'uvu/assert';
import { openExecutions } from '../../shared/ledger/state.ts';
import {
  dueAt,
  END_GRACE_MS,
  firstLookAt,
  lookEveryMs,
  missedAt,
  nextLookAt,
  queueEnds,
} from '../../shared/plan/due.ts';
import { suite } from '../harness/suite.ts';
import {
  admittedChain,
  Chain,
  cancelRequested,
  failed,
  START_MS,
  scheduled,
  settled,
  started,
} from '../ledger/plan-history.ts';
import { planOf, processor, step } from './admitted-plan.ts';

const test = suite('when a plan is due');

const ID = 'plan.train.1';
const DEADLINE_MS = Date.parse('2026-11-23T08:00:00.000Z');
const NOT_BEFORE_MS = START_MS + 1_500;
/** Of its started execution. */
const ENDS_MS = Date.parse('2026-11-22T08:01:00.000Z');

const timedOut = (timeoutS: number) => {
  const one = processor();
  return planOf([step('train')], {
    processors: { 'test/probe@1': { ...one, runtime: { ...one.runtime, timeout_s: timeoutS } } },
  });
};
const waiting = planOf([step('train', { queue_timeout_s: 40 })]);
const patient = planOf([step('train')]);

const scheduledChain = () => admittedChain('plan').append('dispatcher', scheduled('plan', 'train', 1, 400));
const startedChain = () => scheduledChain().append('dispatcher', [started(ID)]);
const cancelledMs = (chain: Chain) => Date.parse(chain.state.cancelRequestedAt ?? '');

test('a plan is due at its deadline; one that is not open never', () => {
  assert.is(dueAt(admittedChain('plan').state, patient), DEADLINE_MS);
  const ended = admittedChain('plan').append('settler', [settled('failed', 0)]);
  for (const { state } of [new Chain('plan'), ended]) {
    assert.equal([dueAt(state, patient), nextLookAt(state, patient, START_MS)], [undefined, undefined]);
  }
});

test('an execution waits for a slot no longer than its step says, from when it may start', () => {
  const { state } = scheduledChain();
  assert.is(dueAt(state, waiting), NOT_BEFORE_MS + 40_000);
  assert.is(dueAt(state, patient), DEADLINE_MS);
  assert.is(dueAt(state, undefined), DEADLINE_MS, 'the document cannot be read just then');
  assert.equal([...queueEnds(openExecutions(state), waiting)], [[ID, NOT_BEFORE_MS + 40_000]]);
  assert.is(dueAt(startedChain().state, waiting), DEADLINE_MS, 'it has its slot');
});

test('a plan that is cancelled is due when those who run it had their time, while it has something open', () => {
  const running = startedChain().append('admission', [cancelRequested('client')]);
  assert.is(dueAt(running.state, waiting), cancelledMs(running) + END_GRACE_MS);
  const over = running.append('dispatcher', [failed(ID, 5)]);
  assert.is(dueAt(over.state, waiting), undefined);
});

test('what has an end is open no more, settled or not', () => {
  const chain = startedChain();
  assert.equal(
    openExecutions(chain.state).map(({ executionId }) => executionId),
    [ID],
  );
  assert.equal(openExecutions(chain.append('dispatcher', [failed(ID, 5)]).state), []);
});

test('an execution is looked for a minute after it might have started, and ten seconds after it had to end', () => {
  const [unstarted] = openExecutions(scheduledChain().state);
  const [running] = openExecutions(startedChain().state);
  assert.is(unstarted && missedAt(unstarted), NOT_BEFORE_MS + 60_000);
  assert.is(running && missedAt(running), ENDS_MS + 10_000);
});

test('an open plan is looked at as often as its shortest step may take or wait, within bounds', () => {
  assert.equal([1, 30, 86_400].map(timedOut).map(lookEveryMs), [10_000, 30_000, 300_000]);
  assert.is(lookEveryMs(undefined), 300_000);
  assert.is(lookEveryMs(planOf([step('train', { queue_timeout_s: 20 })])), 20_000, 'or wait for a slot');
  assert.is(firstLookAt(timedOut(30), START_MS + 3_600_000, START_MS), START_MS + 30_000);
  assert.is(firstLookAt(timedOut(30), START_MS + 4_000, START_MS), START_MS + 4_000);
});

test('the next look is at what is due next, or after the interval', () => {
  const { state } = admittedChain('plan');
  assert.is(nextLookAt(state, timedOut(30), START_MS), START_MS + 30_000);
  assert.is(nextLookAt(state, patient, DEADLINE_MS - 7), DEADLINE_MS);
  const { state: running } = startedChain();
  assert.is(nextLookAt(running, timedOut(300), ENDS_MS), ENDS_MS + 10_000, 'it is looked for when it is overdue');
  assert.is(nextLookAt(running, timedOut(300), ENDS_MS + 10_000), ENDS_MS + 310_000, 'once');
});

test('what is due now is done by the look that asks, and looked after soon', () => {
  assert.is(nextLookAt(admittedChain('plan').state, patient, DEADLINE_MS), DEADLINE_MS + END_GRACE_MS);
  const cancelled = startedChain().append('dispatcher', [cancelRequested('deadline')]);
  const endMs = cancelledMs(cancelled) + END_GRACE_MS;
  assert.is(nextLookAt(cancelled.state, patient, endMs - 1), endMs);
  assert.is(nextLookAt(cancelled.state, patient, endMs), endMs + END_GRACE_MS);
});

test.run();
