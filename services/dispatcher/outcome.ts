import { type ErrorCode, isErrorCode, isRetryable } from '../../shared/errors/codes.ts';
import { type Fault, fault, unreachable } from '../../shared/errors/isomorph-error.ts';
import type { Draft, Environment } from '../../shared/ledger/events.ts';
import { TOLD_CHARACTERS } from '../../shared/plan/largest.ts';
import { EXIT_CODES } from '../../shared/runtime/contract.ts';
import { parseReport } from '../../shared/runtime/reports.ts';
import type { RunResult } from '../../shared/runtime/runtime.ts';
import { clip, clipStart } from '../../shared/text/clip.ts';

export interface Failure extends Fault {
  readonly retryable: boolean;
  readonly exitCode: number | undefined;
}

export const failure = (
  code: ErrorCode,
  message: string,
  retryable = isRetryable(code),
  exitCode?: number,
): Failure => ({
  ...fault(code, clip(message, TOLD_CHARACTERS.message)),
  retryable,
  exitCode,
});

/** As the C library, Node and Python tell that a file system is full; looked for in the last words of a log. */
const DISK_FULL = /\bENOSPC\b|No space left on device/;
const LAST_WORDS_BYTES = 16 * 1024;

const isDiskFull = ({ log, error }: RunResult): boolean =>
  DISK_FULL.test(`${Buffer.from(log.subarray(-LAST_WORDS_BYTES)).toString('utf8')}\n${error?.message ?? ''}`);

function ofExit(exitCode: number, result: RunResult): Failure {
  const { error } = result;
  const badInput = exitCode === EXIT_CODES.bad_input;
  const isOwnCode = error !== undefined && isErrorCode(error.code) && error.code !== 'ERR_EXIT';
  if (!badInput && !isOwnCode && isDiskFull(result)) {
    return failure('ERR_DISK_FULL', error?.message ?? 'the processor had no room for a file', undefined, exitCode);
  }
  if (error === undefined) {
    const how = badInput ? 'it found its input unusable' : 'see the tail of its log';
    return failure('ERR_EXIT', `the processor ended with exit code ${exitCode}: ${how}`, !badInput, exitCode);
  }
  // A processor may name a code of our table; what else it calls its error is part of the message.
  const code = isErrorCode(error.code) ? error.code : 'ERR_EXIT';
  const message = code === error.code ? error.message : `${error.code}: ${error.message}`;
  return failure(code, message, !badInput && (error.retryable ?? isRetryable(code)), exitCode);
}

/** Why a run is no success; undefined when it exited with 0. A run that the runtime lost is not judged here. */
export function failureOf(result: RunResult, cancelled: boolean): Failure | undefined {
  const { outcome, error } = result;
  switch (outcome.kind) {
    case 'exited':
      return outcome.exitCode === EXIT_CODES.success ? undefined : ofExit(outcome.exitCode, result);
    case 'timed_out':
      return failure('ERR_TIMEOUT', 'the processor did not end before its deadline');
    case 'killed':
      return cancelled ? failure('ERR_CANCELLED', 'the plan was cancelled') : failure('ERR_KILLED', 'it was ended');
    case 'signalled':
      return failure('ERR_KILLED', `the processor was ended by ${outcome.signal}`);
    case 'out_of_memory':
      return failure('ERR_KILLED', 'the processor ran out of memory');
    case 'not_started':
      // A runtime that knows more than that it could not start says so as processors do.
      return failure(error !== undefined && isErrorCode(error.code) ? error.code : 'ERR_START', outcome.reason);
    case 'lost':
      return failure('ERR_EXECUTION_LOST', outcome.reason);
    default:
      return unreachable(outcome);
  }
}

/** A log for a person: without report lines and control characters. */
export function shownOf(log: string): string {
  const lines = log.split('\n').filter((line) => parseReport(line) === undefined);
  return lines.join('\n').replace(/[^\P{Cc}\n\t]/gu, '');
}

/** The last lines of a log for a person. */
export const tailOf = (log: string): string => clipStart(shownOf(log).trim(), TOLD_CHARACTERS.log_tail);

export interface FailedOptions {
  readonly executionId: string;
  readonly durationMs: number;
  readonly environment: Environment | undefined;
  /** Scrubbed. */
  readonly logTail: string;
}

/** The event of a failed execution. */
export function failedDraft(why: Failure, options: FailedOptions): Draft {
  return {
    kind: 'execution.failed',
    data: {
      execution_id: options.executionId,
      code: why.code,
      message: why.message,
      retryable: why.retryable,
      duration_ms: options.durationMs,
      ...(why.exitCode === undefined ? {} : { exit_code: why.exitCode }),
      ...(options.logTail === '' ? {} : { log_tail: options.logTail }),
      ...(options.environment === undefined ? {} : { environment: options.environment }),
    },
  };
}
