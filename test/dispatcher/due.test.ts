import * as assert from 'uvu/assert';
import { decideDue, missed } from '../../services/dispatcher/due.ts';
import { END_GRACE_MS } from '../../shared/plan/due.ts';
import { suite } from '../harness/suite.ts';
import { dataOf } from '../ledger/given.ts';
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
import { planOf, step } from '../plan/admitted-plan.ts';
import { dispatcher, ID, ONE_STEP, scheduledChain, startedChain } from './one-step.ts';

const test = suite('what a look at a plan decides');

const DEADLINE_MS = Date.parse('2026-11-23T08:00:00.000Z');
const HOUR_MS = 3_600_000;
const NOBODY: ReadonlySet<string> = new Set();
const at = (nowMs: number, gone = NOBODY, plan: typeof ONE_STEP | undefined = ONE_STEP) => ({ plan, nowMs, gone });
const cancelledMs = (chain: Chain) => Date.parse(chain.state.cancelRequestedAt ?? '');

test('a plan is ended when its deadline comes, not before, and once', () => {
  const chain = admittedChain('plan');
  assert.equal(dispatcher(chain).when(decideDue, at(DEADLINE_MS - 1)).kinds, []);
  const { decision, state } = dispatcher(chain).when(decideDue, at(DEADLINE_MS, NOBODY, undefined));
  assert.equal(state.cancelRequested, { reason: 'deadline' });
  const again = chain.append('dispatcher', decision.drafts);
  assert.equal(dispatcher(again).when(decideDue, at(DEADLINE_MS + HOUR_MS)).kinds, []);
});

test('a plan that is not open is left alone', () => {
  const over = admittedChain('plan').append('settler', [settled('failed', 0)]);
  for (const chain of [new Chain('plan'), over])
    assert.equal(dispatcher(chain).when(decideDue, at(DEADLINE_MS)).kinds, []);
});

test('of a plan that has to end nothing starts any more, and what runs is waited for no longer than the grace', () => {
  const chain = startedChain()
    .append('dispatcher', scheduled('plan', 'judge', 1, 400))
    .append('admission', [cancelRequested('client')]);
  const endMs = cancelledMs(chain) + END_GRACE_MS;
  const first = dispatcher(chain).when(decideDue, at(endMs - 1, NOBODY, undefined));
  assert.equal(first.kinds, ['execution.failed']);
  const { execution_id, code } = dataOf(first.decision.drafts, 'execution.failed');
  assert.equal([execution_id, code], ['plan.judge.1', 'ERR_CANCELLED']);
  const rest = chain.append('dispatcher', first.decision.drafts);
  const second = dispatcher(rest).when(decideDue, at(endMs, NOBODY, undefined));
  const lost = dataOf(second.decision.drafts, 'execution.lost');
  assert.equal([lost.execution_id, lost.duration_ms], [ID, null], 'nobody knows what it has used');
  const ended = rest.append('dispatcher', second.decision.drafts);
  assert.equal(dispatcher(ended).when(decideDue, at(endMs + HOUR_MS)).kinds, []);
});

test('an execution that waited for a slot as long as its step says fails for that, and is not tried again', () => {
  const plan = planOf([step('train', { queue_timeout_s: 40 })]);
  const endMs = START_MS + 1_500 + 40_000;
  assert.equal(dispatcher(scheduledChain()).when(decideDue, at(endMs - 1, NOBODY, plan)).kinds, []);
  const { decision } = dispatcher(scheduledChain()).when(decideDue, at(endMs, NOBODY, plan));
  const { code, retryable, duration_ms } = dataOf(decision.drafts, 'execution.failed');
  assert.equal([code, retryable, duration_ms], ['ERR_QUEUE_TIMEOUT', false, 0]);
  assert.equal(dispatcher(startedChain()).when(decideDue, at(endMs, NOBODY, plan)).kinds, []);
});

test('what nobody has in hand is lost, so that it is tried again; what somebody has is left to him', () => {
  const gone = new Set([ID]);
  const late = START_MS + HOUR_MS;
  for (const chain of [scheduledChain(), startedChain()]) {
    assert.equal(
      missed(chain.state, late).map(({ executionId }) => executionId),
      [ID],
    );
    assert.equal(missed(chain.state, START_MS), []);
    assert.equal(dispatcher(chain).when(decideDue, at(late, gone)).kinds, ['execution.lost']);
    assert.equal(dispatcher(chain).when(decideDue, at(late)).kinds, []);
  }
  const ended = startedChain().append('dispatcher', [failed(ID, 5)]);
  assert.equal(missed(ended.state, late), []);
  assert.equal(dispatcher(ended).when(decideDue, at(late, gone)).kinds, [], 'it ended meanwhile');
  const cancelled = startedChain().append('admission', [cancelRequested('client')]);
  assert.equal(missed(cancelled.state, late), [], 'it ends with its plan');
});

test('what is open is ended by as many commits as it takes', () => {
  const chain = admittedChain('plan', 1_000_000, { steps: 230 });
  for (let n = 0; n < 230; n++) chain.append('dispatcher', scheduled('plan', `s${n}`, 1, 400));
  chain.append('dispatcher', [started('plan.s7.1')]).append('admission', [cancelRequested('client')]);
  const due = at(cancelledMs(chain) + END_GRACE_MS);
  const commits: number[] = [];
  for (let { drafts } = decideDue(chain.state, due); drafts.length > 0; { drafts } = decideDue(chain.state, due)) {
    commits.push(drafts.length);
    chain.append('dispatcher', drafts);
  }
  assert.equal(commits, [100, 100, 30]);
});

test.run();
