import * as assert from 'uvu/assert';
import { decideNext, decideRevokes, isOverdue, untilMs } from '../../services/dispatcher/decide.ts';
import { FEW_WAITING, MOST_WAITING } from '../../services/dispatcher/queue-places.ts';
import type { Decision } from '../../shared/ledger/decider.ts';
import type { PlanState } from '../../shared/ledger/state.ts';
import type { AdmittedPlan } from '../../shared/plan/admitted.ts';
import { suite } from '../harness/suite.ts';
import { dataOf } from '../ledger/given.ts';
import {
  admittedChain,
  Chain,
  cancelRequested,
  failed,
  rejected,
  START_MS,
  scheduled,
  settled,
  settledExecution,
  started,
  submitted,
} from '../ledger/plan-history.ts';
import { planOf, step } from '../plan/admitted-plan.ts';
import { dispatcher, ID, ONE_STEP, RESERVE, scheduledChain, startedChain } from './one-step.ts';

const test = suite('what a dispatcher decides');

/** Later than anything here waits. */
const NOW_MS = START_MS + 3_600_000;
const next = (state: PlanState, plan: AdmittedPlan) => decideNext(state, plan, { nowMs: NOW_MS, hasRoom: true });
const withoutRoom = (state: PlanState, plan: AdmittedPlan) =>
  decideNext(state, plan, { nowMs: NOW_MS, hasRoom: false });

// What a plan asks for now.

test('what is ready is reserved and scheduled in one commit, once', () => {
  const plan = planOf([
    step('train'),
    step('judge', { needs: ['train'] }),
    step('peek', { processor: 'test/reader@1' }),
  ]);
  const chain = admittedChain('plan');
  const { decision, kinds, state } = dispatcher(chain).when(next, plan);
  assert.equal(kinds, ['budget.reserved', 'execution.scheduled', 'execution.scheduled'], 'a reader reserves nothing');
  assert.equal([...state.executions.keys()], ['plan.train.1', 'plan.peek.1']);
  assert.is(state.budget.held, RESERVE);
  const again = chain.append('dispatcher', decision.drafts);
  assert.equal(dispatcher(again).when(next, plan).kinds, []);
});

const scheduledIn = ({ drafts }: Decision): string[] =>
  drafts.flatMap(({ kind, data }) => (kind === 'execution.scheduled' ? data.execution_id : []));

test('of a wide plan a few steps wait for slots at once, the next ones when these have started, and at last all', () => {
  const plan = planOf(Array.from({ length: 230 }, (_, index) => step(`s${index}`)));
  const chain = admittedChain('plan', 1_000_000, { steps: 230 });
  const start = (ids: readonly string[]) => {
    for (const id of ids) chain.append('dispatcher', [started(id)]);
  };
  let waiting: string[] = [];
  const commits: number[] = [];
  while (chain.state.executions.size < 230) {
    const decision = next(chain.state, plan);
    chain.append('dispatcher', decision.drafts);
    commits.push(scheduledIn(decision).length);
    waiting = [...waiting, ...scheduledIn(decision)];
    assert.is(waiting.length, Math.min(MOST_WAITING, waiting.length + 230 - chain.state.executions.size));
    const starting = waiting.splice(0, MOST_WAITING - FEW_WAITING);
    start(starting.slice(1));
    assert.equal(next(chain.state, plan).drafts, [], 'not a commit for each');
    start(starting.slice(0, 1));
  }
  assert.is(Math.max(...commits.slice(1)), MOST_WAITING - FEW_WAITING);
});

test('who waits for one runtime takes no place of another', () => {
  const wide = Array.from({ length: 30 }, (_, index) => step(`s${index}`));
  const chain = admittedChain('plan', 1_000_000, { steps: 31 });
  const plan = planOf([...wide, step('elsewhere', { adapter: 'local' })]);
  chain.append('dispatcher', next(chain.state, planOf(wide)).drafts);
  assert.equal(scheduledIn(next(chain.state, plan)), ['plan.elsewhere.1']);
});

test('retries that wait for the end of their backoff take places of their own; the plan is looked at for the others', () => {
  const ids = Array.from({ length: 20 }, (_, index) => `s${index}`);
  const plan = planOf([...ids.map((id) => step(id)), step('last')]);
  const chain = admittedChain('plan', 1_000_000, { steps: 21 });
  for (const id of ids) {
    chain
      .append('dispatcher', scheduled('plan', id, 1, RESERVE))
      .append('dispatcher', [started(`plan.${id}.1`)])
      .append('dispatcher', [failed(`plan.${id}.1`, 5)])
      .append('settler', settledExecution('plan', `plan.${id}.1`, RESERVE, 100));
  }
  const ends = ids.map((id) => Date.parse(chain.state.executions.get(`plan.${id}.1`)?.endedAt ?? '') + 1_000);
  const early = decideNext(chain.state, plan, { nowMs: Math.min(...ends) - 1, hasRoom: true });
  assert.equal(scheduledIn(early), [...ids.slice(0, MOST_WAITING).map((id) => `plan.${id}.2`), 'plan.last.1']);
  assert.is(early.lookAtMs, ends[MOST_WAITING]);
  chain.append('dispatcher', early.drafts);
  const atTheEnd = { nowMs: Math.max(...ends), hasRoom: true };
  assert.equal(decideNext(chain.state, plan, atTheEnd).drafts, [], 'what waited for its backoff waits for slots now');
  for (const id of scheduledIn(early)) chain.append('dispatcher', [started(id)]);
  const late = decideNext(chain.state, plan, atTheEnd);
  assert.equal([scheduledIn(late).length, late.lookAtMs], [MOST_WAITING, undefined]);
});

test('steps of several runtimes that are scheduled together are paid for together', () => {
  const plan = planOf([step('here'), step('there', { adapter: 'local' })]);
  const { decision } = dispatcher(admittedChain('plan', 2 * RESERVE - 1)).when(next, plan);
  assert.equal(scheduledIn(decision), ['plan.here.1']);
});

test('without the document what has not started is revoked once the plan has to end, and nothing else', () => {
  assert.equal(dispatcher(scheduledChain()).when(decideRevokes, undefined).kinds, [], 'it is waited for until then');
  const cancelled = (chain: Chain) => chain.append('admission', [cancelRequested('client')]);
  const { kinds, state } = dispatcher(cancelled(scheduledChain())).when(decideRevokes, undefined);
  const end = state.executions.get(ID)?.end;
  assert.equal([kinds, end?.status === 'failed' && end.code], [['execution.failed'], 'ERR_CANCELLED']);
  assert.equal(dispatcher(cancelled(startedChain())).when(decideRevokes, undefined).kinds, [], 'its run is ended');
});

test('while the ledger has room only for ends, what runs for the first time is scheduled and a retry waits', () => {
  const plan = planOf([step('train'), step('judge')]);
  const chain = admittedChain('plan', 10 * RESERVE, { steps: 2 })
    .append('dispatcher', scheduled('plan', 'train', 1, RESERVE))
    .append('dispatcher', [started(ID)])
    .append('dispatcher', [failed(ID, 5)])
    .append('settler', settledExecution('plan', ID, RESERVE, 100));
  const { decision, state } = dispatcher(chain).when(withoutRoom, plan);
  assert.equal([...state.executions.keys()], [ID, 'plan.judge.1']);
  assert.is(decision.isWaiting, true);
  const withRoom = dispatcher(chain).when(next, plan);
  assert.equal([...withRoom.state.executions.keys()], [ID, 'plan.train.2', 'plan.judge.1']);
  assert.is(withRoom.decision.isWaiting, false);
  const ending = chain.append('admission', [cancelRequested('client')]);
  assert.not(withoutRoom(ending.state, plan).isWaiting, 'a plan that ends waits for nothing');
});

test('what the budget cannot pay is not scheduled', () => {
  const plan = planOf([step('train'), step('judge'), step('check')]);
  const { state } = dispatcher(admittedChain('plan', 2 * RESERVE + 1)).when(next, plan);
  assert.equal([...state.executions.keys()], ['plan.train.1', 'plan.judge.1']);
});

test('a failed attempt is followed by the next one, not before its backoff', () => {
  const chain = startedChain()
    .append('dispatcher', [failed(ID, 5)])
    .append('settler', settledExecution('plan', ID, RESERVE, 100));
  const { decision } = dispatcher(chain).when(next, ONE_STEP);
  const { execution_id, attempt, not_before } = dataOf(decision.drafts, 'execution.scheduled');
  assert.equal([execution_id, attempt], ['plan.train.2', 2]);
  assert.is(Date.parse(not_before), Date.parse(chain.state.executions.get(ID)?.endedAt ?? '') + 1_000);
});

test('a plan that is ending revokes what has not started and schedules nothing more', () => {
  const plan = planOf([step('train'), step('judge'), step('later')]);
  const chain = startedChain()
    .append('dispatcher', scheduled('plan', 'judge', 1, RESERVE))
    .append('admission', [cancelRequested('client')]);
  const { decision, kinds, state } = dispatcher(chain).when(next, plan);
  assert.equal(kinds, ['execution.failed']);
  const { execution_id, code, retryable } = dataOf(decision.drafts, 'execution.failed');
  assert.equal([execution_id, code, retryable], ['plan.judge.1', 'ERR_CANCELLED', false]);
  assert.is(state.executions.get(ID)?.end, undefined, 'what runs is ended by whoever runs it');
});

test('a plan that is not open asks for nothing', () => {
  const ended = admittedChain('plan').append('settler', [settled('failed', 0)]);
  const refused = new Chain('plan').append('admission', [submitted('plan'), rejected('no')]);
  for (const chain of [new Chain('plan'), ended, refused]) {
    assert.equal(dispatcher(chain).when(next, ONE_STEP).kinds, []);
  }
});

// Runs of quarantined plans.

test('of a quarantined plan a run is ended from its deadline on, and nothing that is none', () => {
  const execution = (chain: Chain) => {
    const found = chain.state.executions.get(ID);
    if (found === undefined) throw new Error(`no ${ID}`);
    return found;
  };
  const running = execution(startedChain());
  const deadlineMs = Date.parse(running.started?.deadline ?? '');
  assert.equal([isOverdue(running, deadlineMs - 1), isOverdue(running, deadlineMs)], [false, true]);
  assert.not(isOverdue(execution(scheduledChain()), Number.MAX_SAFE_INTEGER), 'it never ran');
  const ended = startedChain().append('dispatcher', [failed(ID, 5)]);
  assert.not(isOverdue(execution(ended), deadlineMs + 1), 'it has ended');
});

test('an instant is waited for to the millisecond', () => {
  const instant = new Date(START_MS).toISOString();
  assert.equal([untilMs(instant, START_MS - 5), untilMs(instant, START_MS), untilMs(instant, START_MS + 5)], [5, 0, 0]);
});

test.run();
