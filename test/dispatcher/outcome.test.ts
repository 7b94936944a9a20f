import * as assert from 'uvu/assert';
import { failureOf } from '../../services/dispatcher/outcome.ts';
import type { RunResult } from '../../shared/runtime/runtime.ts';
import { suite } from '../harness/suite.ts';

const test = suite('why an execution failed');

const notStarted = (error: RunResult['error']): RunResult => ({
  outcome: { kind: 'not_started', reason: 'csv/profile@1 is another image now' },
  durationMs: 0,
  log: new Uint8Array(),
  error,
});
const told = (code: string): RunResult['error'] => ({ isomorph: 'error', code, message: 'x', retryable: false });

test('an image that is not the admitted one is told as that, and not tried again', () => {
  const { code, message, retryable } = failureOf(notStarted(told('ERR_IMAGE_DRIFT')), false) ?? {};
  assert.equal([code, message, retryable], ['ERR_IMAGE_DRIFT', 'csv/profile@1 is another image now', false]);
});

test('what could not be started for another reason is ERR_START', () => {
  assert.is(failureOf(notStarted(undefined), false)?.code, 'ERR_START');
  assert.is(failureOf(notStarted(told('ERR_OF_SOMEBODY')), false)?.code, 'ERR_START');
});

test.run();
