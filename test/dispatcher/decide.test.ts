import * as assert from 'uvu/assert';
import {
  decideDeadline,
  decideEnd,
  decideNext,
  decideStart,
  type End,
  isOrphan,
  isOverdue,
  purgeRefusal,
  type Start,
  timerRefusal,
  untilMs,
} from '../../services/dispatcher/decide.ts';
import { failure } from '../../services/dispatcher/outcome.ts';
import type { TimedResult } from '../../services/dispatcher/scrub.ts';
import { canonicalBytes } from '../../shared/hash/canonical.ts';
import { type Cid, cidOf } from '../../shared/hash/cid.ts';
import type { RunOutcome, RunResult } from '../../shared/runtime/runtime.ts';
import type { ArtifactStat } from '../../shared/world/artifact-store.ts';
import { suite } from '../harness/suite.ts';
import { dataOf, given } from '../ledger/given.ts';
import {
  admittedChain,
  Chain,
  cancelRequested,
  ENVIRONMENT,
  failed,
  lost,
  rejected,
  START_MS,
  scheduled,
  settled,
  settledExecution,
  started,
  submitted,
  succeeded,
  written,
} from '../ledger/plan-history.ts';
import { planOf, processor, step } from '../plan/admitted-plan.ts';

const test = suite('what a dispatcher decides');

const RESERVE = 400;
const ID = 'plan.train.1';
const INPUT = '/artifacts/outputs/plan/clean/table.csv';
const ONE_STEP = planOf([step('train')]);

const dispatcher = (chain: Chain) => given(chain, 'dispatcher');
const scheduledChain = (): Chain => admittedChain('plan').append('dispatcher', scheduled('plan', 'train', 1, RESERVE));
const startedChain = (): Chain => scheduledChain().append('dispatcher', [started(ID)]);

// What a plan asks for now.

test('what is ready is reserved and scheduled in one commit, once', () => {
  const plan = planOf([
    step('train'),
    step('judge', { needs: ['train'] }),
    step('peek', { processor: 'test/reader@1' }),
  ]);
  const chain = admittedChain('plan');
  const { decision, kinds, state } = dispatcher(chain).when(decideNext, plan);
  assert.equal(kinds, ['budget.reserved', 'execution.scheduled', 'execution.scheduled'], 'a reader reserves nothing');
  assert.equal([...state.executions.keys()], ['plan.train.1', 'plan.peek.1']);
  assert.is(state.budget.held, RESERVE);
  const again = chain.append('dispatcher', decision.drafts);
  assert.equal(dispatcher(again).when(decideNext, plan).kinds, []);
});

test('more steps than a commit takes are scheduled by the commits that follow, all of them', () => {
  const plan = planOf(Array.from({ length: 230 }, (_, index) => step(`s${index}`)));
  const chain = admittedChain('plan', 1_000_000, { steps: 230 });
  const commits: number[] = [];
  for (let { drafts } = decideNext(chain.state, plan); drafts.length > 0; { drafts } = decideNext(chain.state, plan)) {
    commits.push(drafts.filter(({ kind }) => kind === 'execution.scheduled').length);
    chain.append('dispatcher', drafts);
  }
  assert.equal(commits, [100, 100, 30]);
  assert.is(chain.state.executions.size, 230);
});

test('what the budget cannot pay is not scheduled', () => {
  const plan = planOf([step('train'), step('judge'), step('check')]);
  const { state } = dispatcher(admittedChain('plan', 2 * RESERVE + 1)).when(decideNext, plan);
  assert.equal([...state.executions.keys()], ['plan.train.1', 'plan.judge.1']);
});

test('a failed attempt is followed by the next one, not before its backoff', () => {
  const chain = startedChain()
    .append('dispatcher', [failed(ID, 5)])
    .append('settler', settledExecution('plan', ID, RESERVE, 100));
  const { decision } = dispatcher(chain).when(decideNext, ONE_STEP);
  const { execution_id, attempt, not_before } = dataOf(decision.drafts, 'execution.scheduled');
  assert.equal([execution_id, attempt], ['plan.train.2', 2]);
  assert.is(Date.parse(not_before), Date.parse(chain.state.executions.get(ID)?.endedAt ?? '') + 1_000);
});

test('a plan that is ending revokes what has not started and schedules nothing more', () => {
  const plan = planOf([step('train'), step('judge'), step('later')]);
  const chain = startedChain()
    .append('dispatcher', scheduled('plan', 'judge', 1, RESERVE))
    .append('admission', [cancelRequested('client')]);
  const { decision, kinds, state } = dispatcher(chain).when(decideNext, plan);
  assert.equal(kinds, ['execution.failed']);
  const { execution_id, code, retryable } = dataOf(decision.drafts, 'execution.failed');
  assert.equal([execution_id, code, retryable], ['plan.judge.1', 'ERR_CANCELLED', false]);
  assert.is(state.executions.get(ID)?.end, undefined, 'what runs is ended by whoever runs it');
});

test('a plan that is not open asks for nothing', () => {
  const ended = admittedChain('plan').append('settler', [settled('failed', 0)]);
  const refused = new Chain('plan').append('admission', [submitted('plan'), rejected('no')]);
  for (const chain of [new Chain('plan'), ended, refused]) {
    assert.equal(dispatcher(chain).when(decideNext, ONE_STEP).kinds, []);
  }
});

// What a run may start with.

const statOf = (content: string, path = INPUT): ArtifactStat => ({
  path,
  cid: cidOf(content) as Cid,
  sha256: 'ab'.repeat(32),
  size: content.length,
  contentType: 'text/csv',
});

const READER = step('train', { inputs: { table: INPUT }, params: { depth: 3 } });
const start = (changes: Partial<Start> = {}): Start => ({
  executionId: ID,
  step: READER,
  processor: processor(),
  found: { inputs: { table: statOf('a,b') } },
  worker: 'dispatcher-7',
  nowMs: START_MS,
  ...changes,
});

/** The plan with the input that another step wrote. */
const withInput = (): Chain =>
  admittedChain('plan', 10_000)
    .append('dispatcher', scheduled('plan', 'clean', 1, RESERVE))
    .append('dispatcher', [started('plan.clean.1')])
    .append('dispatcher', [written('plan', 'clean', 'table.csv', 'plan.clean.1', 'a,b'), succeeded('plan.clean.1', 5)])
    .append('dispatcher', scheduled('plan', 'train', 1, RESERVE));

test('an execution is claimed with what it starts with and until when it may run', () => {
  const { decision, state } = dispatcher(withInput()).when(decideStart, start());
  assert.is(decision.kind, 'started');
  assert.equal(state.executions.get(ID)?.started, {
    execution_id: ID,
    worker: 'dispatcher-7',
    session: 'dispatcher-7',
    deadline: new Date(START_MS + 30_000).toISOString(),
    params_cid: cidOf(canonicalBytes({ depth: 3 })),
    inputs: { table: { path: INPUT, cid: cidOf('a,b') } },
  });
  if (decision.kind !== 'started') return;
  assert.equal([decision.deadlineMs, decision.inputs.table], [START_MS + 30_000, statOf('a,b')]);
});

test('an execution is claimed by the first; whoever comes later, or after its end, writes nothing', () => {
  const claimed = withInput().append('dispatcher', [started(ID)]);
  for (const chain of [claimed, withInput().append('dispatcher', [lost(ID, 0)]), new Chain('plan')]) {
    assert.equal(dispatcher(chain).when(decideStart, start()).decision, { kind: 'taken', drafts: [] });
  }
});

/** The code that an execution ends with, which must not start. */
function refusedWith(chain: Chain, command: Start): string | undefined {
  const { decision, state } = dispatcher(chain).when(decideStart, command);
  const end = state.executions.get(ID)?.end;
  assert.equal([decision.kind, state.executions.get(ID)?.started], ['refused', undefined]);
  return end?.status === 'failed' ? end.code : end?.status;
}

test('nothing starts once the plan is cancelled, by whom and why ever', () => {
  for (const reason of ['client', 'deadline'] as const) {
    const chain = withInput().append(reason === 'client' ? 'admission' : 'dispatcher', [cancelRequested(reason)]);
    assert.is(refusedWith(chain, start()), 'ERR_CANCELLED');
    // Whatever its stores say, or if nobody asked them.
    assert.is(refusedWith(chain, start({ found: { inputs: {} } })), 'ERR_CANCELLED');
  }
});

test('nothing starts without an input, or without its secrets', () => {
  assert.is(refusedWith(withInput(), start({ found: { inputs: {} } })), 'ERR_INPUT_MISSING');
  const fault = failure('ERR_MISSING_SECRET', 'no secret TOKEN');
  assert.is(refusedWith(withInput(), start({ found: { inputs: {}, fault } })), 'ERR_MISSING_SECRET');
});

test('nothing starts on an input whose bytes are not those that the ledger names', () => {
  const found = { inputs: { table: statOf('other bytes') } };
  assert.is(refusedWith(withInput(), start({ found })), 'ERR_CID_MISMATCH');
});

test('an input that the ledger does not name is taken as it is', () => {
  const path = '/artifacts/inputs/raw.csv';
  const command = start({
    step: step('train', { inputs: { code: path } }),
    found: { inputs: { code: statOf('x', path) } },
  });
  assert.is(dispatcher(withInput()).when(decideStart, command).decision.kind, 'started');
});

// What may be replaced.

test('an object is replaced only below the step’s own prefix, and never one that the ledger names', () => {
  const { state } = startedChain().append('dispatcher', [written('plan', 'train', 'out.json', ID), succeeded(ID, 5)]);
  assert.is(isOrphan(state, 'train', '/artifacts/outputs/plan/train/late.json'), true);
  assert.is(isOrphan(state, 'train', '/artifacts/outputs/plan/train/out.json'), false, 'the ledger names it');
  for (const path of [
    '/artifacts/outputs/plan/judge/late.json',
    '/artifacts/outputs/plan/training/late.json',
    '/artifacts/outputs/other/train/late.json',
    '/artifacts/shared/late.json',
  ]) {
    assert.is(isOrphan(state, 'train', path), false, path);
  }
});

// How an end is judged.

const resultOf = (outcome: RunOutcome, error?: RunResult['error'], text = 'a line\n'): TimedResult => ({
  outcome,
  error,
  text,
  durationMs: 1_234,
  log: new Uint8Array(),
});

const exited = (exitCode: number, error?: RunResult['error']): TimedResult =>
  resultOf({ kind: 'exited', exitCode }, error);

const ended = (result: TimedResult, changes: Partial<Extract<End, { kind: 'ended' }>> = {}): End => ({
  kind: 'ended',
  executionId: ID,
  result,
  outputs: { ok: true, artifacts: [written('plan', 'train', 'out.json', ID)] },
  log: [written('plan', 'train', 'log.txt', ID)],
  environment: ENVIRONMENT,
  cancelled: false,
  ...changes,
});

test('a run that exited with 0 and left what it declares has succeeded: named with its end, in one commit', () => {
  const { decision, kinds, state } = dispatcher(startedChain()).when(decideEnd, ended(exited(0)));
  assert.equal(
    [decision.outcome, kinds],
    ['succeeded', ['artifact.written', 'artifact.written', 'execution.succeeded']],
  );
  assert.equal(state.executions.get(ID)?.end, { status: 'succeeded', durationMs: 1_234, environment: ENVIRONMENT });
});

test('a run that exited with 0 without what it declares has failed, and none of its outputs is named', () => {
  const why = failure('ERR_OUTPUT_MISSING', 'out.json was not written');
  const { decision, kinds } = dispatcher(startedChain()).when(
    decideEnd,
    ended(exited(0), { outputs: { ok: false, why } }),
  );
  assert.equal([decision.outcome, kinds], ['ERR_OUTPUT_MISSING', ['artifact.written', 'execution.failed']]);
});

test('a run that failed names no outputs, whatever it left; its log and the tail of it are kept', () => {
  const { decision, kinds } = dispatcher(startedChain()).when(decideEnd, ended(exited(1)));
  assert.equal(kinds, ['artifact.written', 'execution.failed']);
  const { code, exit_code, log_tail, duration_ms, environment } = dataOf(decision.drafts, 'execution.failed');
  assert.equal([code, exit_code, log_tail, duration_ms], ['ERR_EXIT', 1, 'a line', 1_234]);
  assert.equal(environment, ENVIRONMENT);
});

test('a run that was killed is cancelled when its plan is, as the ledger or this dispatcher knows', () => {
  const killed = ended(resultOf({ kind: 'killed' }));
  const outcomeOf = (chain: Chain, end: End) => dispatcher(chain).when(decideEnd, end).decision.outcome;
  assert.is(outcomeOf(startedChain(), killed), 'ERR_KILLED');
  assert.is(outcomeOf(startedChain(), { ...killed, cancelled: true } as End), 'ERR_CANCELLED');
  assert.is(outcomeOf(startedChain().append('admission', [cancelRequested('client')]), killed), 'ERR_CANCELLED');
});

test('a run that its runtime lost is recorded as lost, with what it used', () => {
  const end: End = { kind: 'lost', executionId: ID, reason: 'the host is gone', durationMs: 70 };
  const { decision, state } = dispatcher(startedChain()).when(decideEnd, end);
  assert.is(decision.outcome, 'lost');
  assert.equal(state.executions.get(ID)?.end, { status: 'lost', durationMs: 70, reason: 'the host is gone' });
  const unknown = dispatcher(startedChain()).when(decideEnd, { ...end, durationMs: null });
  assert.is(dataOf(unknown.decision.drafts, 'execution.lost').duration_ms, null, 'unknown is not nothing');
});

test('the first word on an end counts; there is no end of what is not there', () => {
  for (const chain of [startedChain().append('dispatcher', [lost(ID, 0)]), admittedChain('plan')]) {
    assert.equal(dispatcher(chain).when(decideEnd, ended(exited(0))).decision, { drafts: [] });
  }
});

// When a deadline has come.

test('a plan is ended when its deadline comes, not before, and once', () => {
  const chain = admittedChain('plan');
  const deadlineMs = Date.parse(chain.state.admitted?.deadline ?? '');
  const early = dispatcher(chain).when(decideDeadline, deadlineMs - 1);
  assert.equal(early.decision, { waitMs: 1, drafts: [] });
  const { decision, state } = dispatcher(chain).when(decideDeadline, deadlineMs);
  assert.equal([decision.waitMs, state.cancelRequested], [undefined, { reason: 'deadline' }]);
  const again = chain.append('dispatcher', decision.drafts);
  assert.equal(dispatcher(again).when(decideDeadline, deadlineMs + 1).decision, { drafts: [] });
  const over = admittedChain('plan').append('settler', [settled('failed', 0)]);
  assert.equal(dispatcher(over).when(decideDeadline, deadlineMs - 1).decision, { drafts: [] });
});

test('a timer of no plan, and a purge of one that has not ended, are refused', () => {
  const { state: none } = new Chain('plan');
  const { state: running } = admittedChain('plan');
  const { state: over } = admittedChain('plan').append('settler', [settled('failed', 0)]);
  assert.equal([timerRefusal(none)?.code, timerRefusal(running)], ['ERR_PLAN_UNKNOWN', undefined]);
  assert.equal([purgeRefusal(none)?.code, purgeRefusal(running)?.code], ['ERR_PLAN_UNKNOWN', 'ERR_SCHEMA']);
  assert.is(purgeRefusal(over), undefined);
});

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
