import * as assert from 'uvu/assert';
import { failedDraft, failure, failureOf, tailOf } from '../../services/dispatcher/outcome.ts';
import type { RunOutcome, RunResult } from '../../shared/runtime/runtime.ts';
import { suite } from '../harness/suite.ts';
import { ENVIRONMENT } from '../ledger/plan-history.ts';

const test = suite('why an execution failed');

const resultOf = (outcome: RunOutcome, error?: RunResult['error']): RunResult => ({
  outcome,
  durationMs: 0,
  log: new Uint8Array(),
  error,
});
const notStarted = (error: RunResult['error']): RunResult =>
  resultOf({ kind: 'not_started', reason: 'csv/profile@1 is another image now' }, error);
const told = (code: string, retryable?: boolean): RunResult['error'] => ({
  isomorph: 'error',
  code,
  message: 'x',
  ...(retryable === undefined ? {} : { retryable }),
});

/** How an exit code is read: code, message, whether it is tried again. */
function exit(exitCode: number, error?: RunResult['error']): unknown[] {
  const { code, retryable, exitCode: kept } = failureOf(resultOf({ kind: 'exited', exitCode }, error), false) ?? {};
  return [code, retryable, kept];
}

test('an image that is not the admitted one is told as that, and not tried again', () => {
  const { code, message, retryable } = failureOf(notStarted(told('ERR_IMAGE_DRIFT', false)), false) ?? {};
  assert.equal([code, message, retryable], ['ERR_IMAGE_DRIFT', 'csv/profile@1 is another image now', false]);
});

test('what could not be started for another reason is ERR_START', () => {
  assert.is(failureOf(notStarted(undefined), false)?.code, 'ERR_START');
  assert.is(failureOf(notStarted(told('ERR_OF_SOMEBODY', false)), false)?.code, 'ERR_START');
});

test('bad input is never tried again, whatever the processor says of it', () => {
  assert.equal(exit(65), ['ERR_EXIT', false, 65]);
  assert.equal(exit(65, told('ERR_OF_SOMEBODY', true)), ['ERR_EXIT', false, 65]);
  assert.equal(exit(65, told('ERR_UNAVAILABLE', true)), ['ERR_UNAVAILABLE', false, 65]);
});

test('a processor that had no room for a file says so with a code, whatever wrote its last words', () => {
  const ended = (words: string, error?: RunResult['error'], exitCode = 1): unknown[] => {
    const result = { ...resultOf({ kind: 'exited', exitCode }, error), log: Buffer.from(words) };
    const { code, retryable } = failureOf(result, false) ?? {};
    return [code, retryable];
  };
  const full = ['ERR_DISK_FULL', false];
  assert.equal(ended("OSError: [Errno 28] No space left on device: '/tmp/x'\n"), full);
  assert.equal(ended('', { ...told('ERR_EXIT'), message: 'ENOSPC: no space left, write' } as RunResult['error']), full);
  assert.equal(ended('ENOSPC\n', undefined, 65), ['ERR_EXIT', false], 'bad input stays that');
  assert.equal(ended('ENOSPC\n', told('ERR_INPUT_MISSING')), ['ERR_INPUT_MISSING', false], 'its own code comes first');
  assert.equal(ended(`ENOSPC\n${'x'.repeat(20_000)}`), ['ERR_EXIT', true], 'what was met long before is over');
});

test('every other exit code is tried again, unless the processor says no', () => {
  for (const code of [1, 2, 75, 137]) assert.equal(exit(code), ['ERR_EXIT', true, code]);
  assert.equal(exit(75, told('ERR_OF_SOMEBODY', false)), ['ERR_EXIT', false, 75]);
  assert.equal(exit(1, told('ERR_OF_SOMEBODY')), ['ERR_EXIT', true, 1]);
  assert.equal(exit(1, told('ERR_INPUT_MISSING')), ['ERR_INPUT_MISSING', false, 1], 'a code of ours brings its own');
  assert.is(failureOf(resultOf({ kind: 'exited', exitCode: 0 }), false), undefined);
});

test('what a processor calls its error is told: as its code when it is one of ours, else in the message', () => {
  const messageOf = (code: string) => failureOf(resultOf({ kind: 'exited', exitCode: 1 }, told(code)), false)?.message;
  assert.equal([messageOf('ERR_UNAVAILABLE'), messageOf('E_MINE')], ['x', 'E_MINE: x']);
  assert.match(failureOf(resultOf({ kind: 'exited', exitCode: 65 }), false)?.message ?? '', /exit code 65.*input/);
});

test('each other end has its code, and says whether it is tried again', () => {
  const judged = (outcome: RunOutcome, cancelled = false) => {
    const { code, retryable } = failureOf(resultOf(outcome), cancelled) ?? {};
    return [code, retryable];
  };
  assert.equal(judged({ kind: 'timed_out' }), ['ERR_TIMEOUT', true]);
  assert.equal(judged({ kind: 'killed' }), ['ERR_KILLED', true]);
  assert.equal(judged({ kind: 'killed' }, true), ['ERR_CANCELLED', false]);
  assert.equal(judged({ kind: 'signalled', signal: 'SIGSEGV' }, true), ['ERR_KILLED', true]);
  assert.equal(judged({ kind: 'out_of_memory' }), ['ERR_KILLED', true]);
  assert.equal(judged({ kind: 'lost', reason: 'gone' }), ['ERR_EXECUTION_LOST', true]);
});

test('the tail of a log is its end, without reports and control characters', () => {
  const report = '{"isomorph":"progress","fraction":0.5}';
  assert.is(tailOf(`one\n${report}\n\u001b[31mtwo\tthree\n`), 'one\n[31mtwo\tthree');
  const long = tailOf(`first\n${'x'.repeat(5_000)}last`);
  assert.ok(long.endsWith('last') && !long.includes('first') && long.length <= 3_001);
});

test('each end is told in words that a person understands', () => {
  const said = (outcome: RunOutcome, cancelled = false): string | undefined =>
    failureOf(resultOf(outcome), cancelled)?.message;
  assert.is(said({ kind: 'exited', exitCode: 3 }), 'the processor ended with exit code 3: see the tail of its log');
  assert.is(said({ kind: 'timed_out' }), 'the processor did not end before its deadline');
  assert.is(said({ kind: 'killed' }), 'it was ended');
  assert.is(said({ kind: 'killed' }, true), 'the plan was cancelled');
  assert.is(said({ kind: 'signalled', signal: 'SIGSEGV' }), 'the processor was ended by SIGSEGV');
  assert.is(said({ kind: 'out_of_memory' }), 'the processor ran out of memory');
  assert.is(said({ kind: 'lost', reason: 'gone' }), 'gone');
});

test('a processor that says so is tried again, although its code would not be', () => {
  assert.equal(exit(1, told('ERR_INPUT_MISSING', true)), ['ERR_INPUT_MISSING', true, 1]);
});

test('the event of a failure has what is known of it, and no field for what is not', () => {
  const why = failure('ERR_EXIT', 'it broke', true, 3);
  const known = { executionId: 'plan.train.1', durationMs: 7 };
  assert.equal(failedDraft(why, { ...known, environment: ENVIRONMENT, logTail: 'the end' }), {
    kind: 'execution.failed',
    data: {
      execution_id: 'plan.train.1',
      code: 'ERR_EXIT',
      message: 'it broke',
      retryable: true,
      duration_ms: 7,
      exit_code: 3,
      log_tail: 'the end',
      environment: ENVIRONMENT,
    },
  });
  assert.equal(failedDraft(failure('ERR_TIMEOUT', 'late'), { ...known, environment: undefined, logTail: '' }), {
    kind: 'execution.failed',
    data: { execution_id: 'plan.train.1', code: 'ERR_TIMEOUT', message: 'late', retryable: true, duration_ms: 7 },
  });
});

test.run();
