import * as assert from 'uvu/assert';
import { decideEnd, type End } from '../../services/dispatcher/decide.ts';
import { failure } from '../../services/dispatcher/outcome.ts';
import type { TimedResult } from '../../services/dispatcher/scrub.ts';
import type { RunOutcome, RunResult } from '../../shared/runtime/runtime.ts';
import { suite } from '../harness/suite.ts';
import { dataOf } from '../ledger/given.ts';
import { admittedChain, type Chain, cancelRequested, ENVIRONMENT, lost, written } from '../ledger/plan-history.ts';
import { dispatcher, ID, startedChain } from './one-step.ts';

const test = suite('how a dispatcher ends an execution');

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

test.run();
