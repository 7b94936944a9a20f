import * as assert from 'uvu/assert';
import { processorOf } from '../../shared/plan/admitted.ts';
import { type PlanProgress, progressOf, statusAtEnd } from '../../shared/plan/progress.ts';
import { MAX_LOST } from '../../shared/plan/steps.ts';
import { suite } from '../harness/suite.ts';
import {
  admittedChain,
  type Chain,
  cancelRequested,
  failed,
  scheduled,
  settledExecution,
  started,
  succeeded,
} from '../ledger/plan-history.ts';
import { planOf, step } from './admitted-plan.ts';
import { attempt, RESERVE, schedulable, statuses } from './attempts.ts';

const test = suite('progress of a plan');

/** Milliseconds between the end of an execution and the earliest start of the next attempt. */
function waitMs(chain: Chain, progress: PlanProgress, executionId: string): number {
  const endedAt = chain.state.executions.get(executionId)?.endedAt ?? '';
  return (progress.schedulable[0]?.notBeforeMs ?? Number.NaN) - Date.parse(endedAt);
}

const diamond = planOf([
  step('top'),
  step('left', { needs: ['top'] }),
  step('right', { needs: ['top'] }),
  step('bottom', { needs: ['left', 'right'] }),
]);

test('what needs nothing is ready, what needs something waits for all of it', () => {
  const chain = admittedChain('plan', 10_000, { steps: 4 });
  assert.equal(statuses(progressOf(chain.state, diamond)), {
    top: 'ready',
    left: 'waiting',
    right: 'waiting',
    bottom: 'waiting',
  });
  attempt(chain, 'top', 1, 'succeeded');
  assert.equal(schedulable(progressOf(chain.state, diamond)), ['left.1', 'right.1']);
  attempt(chain, 'left', 1, 'succeeded');
  assert.equal(statuses(progressOf(chain.state, diamond)), {
    top: 'succeeded',
    left: 'succeeded',
    right: 'ready',
    bottom: 'waiting',
  });
  attempt(chain, 'right', 1, 'succeeded');
  assert.equal(schedulable(progressOf(chain.state, diamond)), ['bottom.1']);
  attempt(chain, 'bottom', 1, 'succeeded');
  const end = progressOf(chain.state, diamond);
  assert.equal([end.finished, schedulable(end), end.unpayable], [true, [], []]);
});

test('a step that is under way is open, and the plan is not finished before it is settled', () => {
  const plan = planOf([step('only')]);
  const chain = admittedChain('plan').append('dispatcher', scheduled('plan', 'only', 1, RESERVE));
  assert.equal(
    [statuses(progressOf(chain.state, plan)), progressOf(chain.state, plan).finished],
    [{ only: 'open' }, false],
  );
  chain.append('dispatcher', [started('plan.only.1'), succeeded('plan.only.1', 5)]);
  assert.is(progressOf(chain.state, plan).finished, false);
  chain.append('settler', settledExecution('plan', 'plan.only.1', RESERVE, 100));
  assert.is(progressOf(chain.state, plan).finished, true);
});

test('a failed step is tried again by its policy, each time after a longer wait', () => {
  const plan = planOf([step('only', { retry: { max_attempts: 3, backoff_s: 1.5, backoff_factor: 4 } })]);
  const chain = admittedChain('plan', 10_000);
  for (const [number, wait] of [
    [1, 1_500],
    [2, 6_000],
  ] as const) {
    attempt(chain, 'only', number, 'failed');
    const progress = progressOf(chain.state, plan);
    assert.equal(schedulable(progress), [`only.${number + 1}`]);
    assert.is(waitMs(chain, progress, `plan.only.${number}`), wait);
  }
  attempt(chain, 'only', 3, 'failed');
  const end = progressOf(chain.state, plan);
  assert.equal([statuses(end), end.finished], [{ only: 'failed' }, true]);
});

test('the wait between attempts is never longer than an hour', () => {
  const plan = planOf([step('only', { retry: { max_attempts: 5, backoff_s: 3_000, backoff_factor: 10 } })]);
  const chain = admittedChain('plan', 10_000);
  attempt(chain, 'only', 1, 'failed');
  attempt(chain, 'only', 2, 'failed');
  assert.is(waitMs(chain, progressOf(chain.state, plan), 'plan.only.2'), 3_600_000);
});

test('a failure that cannot be cured is not tried again', () => {
  const plan = planOf([step('only'), step('after', { needs: ['only'] })]);
  const chain = admittedChain('plan', 10_000)
    .append('dispatcher', scheduled('plan', 'only', 1, RESERVE))
    .append('dispatcher', [failed('plan.only.1', 5, { retryable: false })])
    .append('settler', settledExecution('plan', 'plan.only.1', RESERVE, 0));
  const progress = progressOf(chain.state, plan);
  assert.equal([statuses(progress), progress.finished], [{ only: 'failed', after: 'skipped' }, true]);
});

test('what needs a failed step is skipped, however far away, and so is all that has not begun', () => {
  const plan = planOf([
    step('bad', { retry: { max_attempts: 1, backoff_s: 0, backoff_factor: 1 } }),
    step('next', { needs: ['bad'] }),
    step('far', { needs: ['next'] }),
    step('apart'),
    step('running'),
  ]);
  const chain = admittedChain('plan', 10_000).append('dispatcher', scheduled('plan', 'running', 1, RESERVE));
  attempt(chain, 'bad', 1, 'failed');
  const progress = progressOf(chain.state, plan);
  const skipped = 'skipped';
  assert.equal(statuses(progress), { bad: 'failed', next: skipped, far: skipped, apart: skipped, running: 'open' });
  assert.equal([schedulable(progress), progress.finished], [[], false]);
});

test('a lost execution is tried again soon, does not count as a failure, and has a bound of its own', () => {
  const plan = planOf([step('only', { retry: { max_attempts: 2, backoff_s: 60, backoff_factor: 2 } })]);
  const chain = admittedChain('plan', 100_000);
  attempt(chain, 'only', 1, 'failed');
  for (let number = 2; number <= MAX_LOST; number++) attempt(chain, 'only', number, 'lost');
  const progress = progressOf(chain.state, plan);
  assert.equal(schedulable(progress), [`only.${MAX_LOST + 1}`]);
  assert.is(waitMs(chain, progress, `plan.only.${MAX_LOST}`), 500);
  attempt(chain, 'only', MAX_LOST + 1, 'lost');
  assert.equal(statuses(progressOf(chain.state, plan)), { only: 'failed' });
});

test('a step that failed as often as it may stays failed, whatever was lost in between', () => {
  const plan = planOf([step('only', { retry: { max_attempts: 2, backoff_s: 0, backoff_factor: 1 } })]);
  const chain = admittedChain('plan', 10_000);
  for (const [index, how] of (['failed', 'lost', 'failed'] as const).entries()) attempt(chain, 'only', index + 1, how);
  assert.equal(statuses(progressOf(chain.state, plan)), { only: 'failed' });
});

test('no more is scheduled than the budget pays for, in the order of the plan', () => {
  const plan = planOf([step('one'), step('two'), step('three')]);
  const progress = progressOf(admittedChain('plan', 2 * RESERVE + 399).state, plan);
  assert.equal([schedulable(progress), progress.unpayable, progress.finished], [['one.1', 'two.1'], [], false]);
});

test('a step waits for money that is held, and is unpayable once none will come back', () => {
  const plan = planOf([step('one'), step('two')]);
  const chain = admittedChain('plan', RESERVE + 300).append('dispatcher', scheduled('plan', 'one', 1, RESERVE));
  const during = progressOf(chain.state, plan);
  assert.equal([schedulable(during), during.unpayable, during.finished], [[], [], false]);
  chain.append('dispatcher', [started('plan.one.1'), succeeded('plan.one.1', 5)]);
  chain.append('settler', settledExecution('plan', 'plan.one.1', RESERVE, 301));
  const after = progressOf(chain.state, plan);
  assert.equal([schedulable(after), after.unpayable, after.finished], [[], ['two'], true]);
});

test('money that comes back pays for the step that waited', () => {
  const plan = planOf([step('one'), step('two')]);
  const chain = admittedChain('plan', RESERVE + 300);
  attempt(chain, 'one', 1, 'succeeded', 300);
  assert.equal(schedulable(progressOf(chain.state, plan)), ['two.1']);
});

test('a read-only step needs no money', () => {
  const plan = planOf([step('one', { processor: 'test/reader@1' })]);
  assert.equal(schedulable(progressOf(admittedChain('plan', 0).state, plan)), ['one.1']);
});

test('a cancellation starts nothing more, retries neither, and waits for what runs', () => {
  const chain = admittedChain('plan', 10_000);
  attempt(chain, 'top', 1, 'succeeded');
  attempt(chain, 'left', 1, 'failed');
  chain.append('dispatcher', scheduled('plan', 'right', 1, RESERVE)).append('admission', [cancelRequested('client')]);
  const during = progressOf(chain.state, diamond);
  assert.equal(statuses(during), { top: 'succeeded', left: 'skipped', right: 'open', bottom: 'skipped' });
  assert.equal([schedulable(during), during.finished], [[], false]);
  chain.append('dispatcher', [failed('plan.right.1', 5)]);
  chain.append('settler', settledExecution('plan', 'plan.right.1', RESERVE, 0));
  const after = progressOf(chain.state, diamond);
  assert.equal([statuses(after).right, after.finished], ['skipped', true]);
});

test('only an ending plan revokes, and only what was scheduled and never started', () => {
  const plan = planOf([step('ended'), step('running'), step('waiting'), step('later')]);
  const chain = admittedChain('plan', 10_000);
  attempt(chain, 'ended', 1, 'succeeded');
  chain
    .append('dispatcher', scheduled('plan', 'running', 1, RESERVE))
    .append('dispatcher', [started('plan.running.1')])
    .append('dispatcher', scheduled('plan', 'waiting', 1, RESERVE));
  assert.equal(progressOf(chain.state, plan).revocable, []);
  chain.append('admission', [cancelRequested('client')]);
  const revocable = progressOf(chain.state, plan).revocable.map((one) => one.executionId);
  assert.equal(revocable, ['plan.waiting.1']);
});

test('a first attempt may start from the moment of the command', () => {
  const chain = admittedChain('plan', 10_000);
  const [first] = progressOf(chain.state, planOf([step('only')])).schedulable;
  assert.is(first?.notBeforeMs, Date.parse(chain.state.submittedAt ?? ''));
});

test('a step runs the image that was frozen for it; without one, that of the registry', () => {
  const plan = planOf([step('tagged'), step('pinned', { image: 'probe@sha256:1' })]);
  const [tagged, pinned] = plan.steps.map((one) => processorOf(plan, one));
  assert.equal(tagged, plan.processors['test/probe@1']);
  assert.equal(pinned, { ...plan.processors['test/probe@1'], image: 'probe@sha256:1' });
  assert.throws(() => processorOf(plan, step('odd', { processor: 'test/none@1' })), 'plan lacks processor test/none@1');
});

test('a plan ends by its steps first, then by its predicates', () => {
  const plan = planOf([step('one'), step('two')]);
  const chain = attempt(admittedChain('plan', 10_000), 'one', 1, 'succeeded');
  const half = progressOf(chain.state, plan);
  const holds = { ok: true };
  const fails = { ok: false };
  assert.is(statusAtEnd(chain.state, half, [holds]), 'failed', 'a step is missing');
  const whole = progressOf(attempt(chain, 'two', 1, 'succeeded').state, plan);
  assert.is(statusAtEnd(chain.state, whole, []), 'succeeded');
  assert.is(statusAtEnd(chain.state, whole, [holds, fails]), 'failed', 'one predicate fails');
  const cancelled = (reason: 'client' | 'deadline') => ({ ...chain.state, cancelRequested: { reason } });
  assert.is(statusAtEnd(cancelled('client'), half, []), 'cancelled');
  assert.is(statusAtEnd(cancelled('deadline'), half, []), 'failed');
  assert.is(statusAtEnd(cancelled('client'), whole, [holds]), 'succeeded', 'the cancel came too late');
});

test('what may start is found by its runtime, in the order of the plan, for as long as it can be paid', () => {
  const plan = planOf(
    Array.from({ length: 100 }, (_, n) => step(`s${n}`, { adapter: n % 2 === 0 ? 'mock' : 'local' })),
  );
  const progress = progressOf(admittedChain('plan', 40 * RESERVE, { steps: 100 }).state, plan);
  const ids = (adapter: string, held: number) => [...progress.startable(adapter, held)].map((one) => one.step.id);
  assert.equal([ids('local', 0).slice(0, 2), ids('local', 0).length], [['s1', 's3'], 40]);
  assert.equal([ids('mock', 38 * RESERVE), ids('modal', 0)], [['s0', 's2'], []]);
  assert.equal(
    progress.schedulable.map((one) => one.step.id),
    plan.steps.slice(0, 40).map(({ id }) => id),
  );
});

test.run();
