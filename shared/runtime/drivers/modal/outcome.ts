import { signalOf } from '../../outcome.ts';
import type { RunOutcome } from '../../runtime.ts';

/** Why we ended a sandbox; a tag of it, written before it is ended, so that it survives us. */
export const STOP_REASONS = ['timed_out', 'killed', 'undelivered'] as const;
export type SandboxStop = (typeof STOP_REASONS)[number];

/** `GenericStatus` of Modal's API: how a sandbox or a build ended. */
export const MODAL_STATUS = {
  unspecified: 0,
  success: 1,
  failure: 2,
  terminated: 3,
  timeout: 4,
  initFailure: 5,
  internalFailure: 6,
  idleTimeout: 7,
  memoryEviction: 8,
} as const;

/** What `SandboxWait` answers of a sandbox that has ended. */
export interface SandboxResult {
  readonly status: number;
  readonly exception: string;
  readonly exitcode: number;
}

const SIGKILLED = 137;
const NOT_FOUND_OR_NOT_EXECUTABLE = [126, 127];

function ofExit({ exitcode, exception }: SandboxResult): RunOutcome {
  if (exitcode === SIGKILLED && /out of memory|\boom\b/i.test(exception)) return { kind: 'out_of_memory' };
  if (NOT_FOUND_OR_NOT_EXECUTABLE.includes(exitcode)) {
    return { kind: 'not_started', reason: exception || `its command could not be started (${exitcode})` };
  }
  const signal = signalOf(exitcode);
  return signal === undefined ? { kind: 'exited', exitCode: exitcode } : { kind: 'signalled', signal };
}

/** A termination is ours, with the reason of the tag, or somebody's who used Modal's own tools. */
const ofTermination = (stop: SandboxStop | undefined): RunOutcome =>
  stop === 'undelivered'
    ? { kind: 'lost', reason: 'its sandbox was ended, because it had not been given its job' }
    : { kind: stop ?? 'killed' };

/**
 * How a run ended. The exit code alone would not do: Modal tells a timeout as 124, a termination as 137, and failures of its own
 * with whatever code was there, 0 included.
 */
export function outcomeOf(result: SandboxResult, stop: SandboxStop | undefined): RunOutcome {
  const reason = result.exception || `Modal ended it with status ${result.status}`;
  switch (result.status) {
    case MODAL_STATUS.success:
      return { kind: 'exited', exitCode: 0 };
    case MODAL_STATUS.failure:
      return ofExit(result);
    case MODAL_STATUS.terminated:
      return ofTermination(stop);
    case MODAL_STATUS.timeout:
      return { kind: 'timed_out' };
    case MODAL_STATUS.initFailure:
      return { kind: 'not_started', reason };
    case MODAL_STATUS.memoryEviction:
      return { kind: 'out_of_memory' };
    default:
      // Modal's own failure, or a status that this SDK does not know: not the processor's doing, so it is tried again.
      return { kind: 'lost', reason };
  }
}
