import { type StopReason, signalOf } from '../../outcome.ts';
import type { RunOutcome } from '../../runtime.ts';
import type { ContainerView } from './engine.ts';

/** What is known of a container that has ended. */
export interface Ending {
  readonly view: Pick<ContainerView, 'exitCode' | 'oomKilled' | 'finishedMs' | 'error'>;
  /** Why we ended it, when we did. */
  readonly stop: StopReason | undefined;
  readonly deadlineMs: number;
  /** The engine went away while it ran: a signal may have been the engine's, and 255 stands for "not known". */
  readonly engineWasGone: boolean;
  /** The exit code by the boot module's own word. */
  readonly toldExitCode: number | undefined;
}

/** What engines report for a container whose end they did not see. */
const NOT_KNOWN = 255;

export function outcomeOf({ view, stop, deadlineMs, engineWasGone, toldExitCode }: Ending): RunOutcome {
  const { exitCode } = view;
  if (stop !== undefined) return { kind: stop };
  // Engines set the flag as well when only a child was killed and the processor went on to its end.
  if (view.oomKilled && exitCode !== 0) return { kind: 'out_of_memory' };
  if (toldExitCode !== undefined && (exitCode === toldExitCode || exitCode === NOT_KNOWN)) {
    return { kind: 'exited', exitCode: toldExitCode };
  }
  if (exitCode === 126 || exitCode === 127) {
    return { kind: 'not_started', reason: view.error || `its command could not be started (${exitCode})` };
  }
  const signal = signalOf(exitCode);
  if (engineWasGone && (exitCode === NOT_KNOWN || signal !== undefined)) {
    return { kind: 'lost', reason: `the container engine went away while it ran, and left exit code ${exitCode}` };
  }
  if (signal === undefined) return { kind: 'exited', exitCode };
  // A backstop of the kernel or a dispatcher that is no more ended it.
  return view.finishedMs >= deadlineMs ? { kind: 'timed_out' } : { kind: 'signalled', signal };
}
