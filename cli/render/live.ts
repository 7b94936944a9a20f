import type { LedgerEvent } from '../../shared/ledger/events.ts';
import type { Progress } from '../../shared/wire/progress.ts';
import { duration, fit, plain } from './text.ts';
import type { Theme } from './theme.ts';

export interface RunningStep {
  readonly stepId: string;
  readonly startedMs: number;
  readonly fraction: number | undefined;
  readonly message: string;
}

export type RunningSteps = ReadonlyMap<string, RunningStep>;

const stepOf = (executionId: string): string => executionId.split('.')[1] ?? executionId;

/** The steps that run after an event. `nowMs` is this machine's clock, which draws the time. Pure. */
export function runningAfter(running: RunningSteps, event: LedgerEvent, nowMs: number): RunningSteps {
  const next = new Map(running);
  switch (event.kind) {
    case 'execution.started': {
      const stepId = stepOf(event.data.execution_id);
      next.set(stepId, { stepId, startedMs: nowMs, fraction: undefined, message: '' });
      break;
    }
    case 'execution.succeeded':
    case 'execution.failed':
    case 'execution.lost':
      next.delete(stepOf(event.data.execution_id));
      break;
    case 'plan.settled':
      next.clear();
      break;
    default:
      break;
  }
  return next;
}

/** A report of a step that runs; of another it comes too late to be told. Pure. */
export function progressed(running: RunningSteps, { step_id: stepId, fraction, message }: Progress): RunningSteps {
  const step = running.get(stepId);
  if (step === undefined) return running;
  const next = { ...step, fraction: fraction ?? step.fraction, message: message ?? step.message };
  return new Map(running).set(stepId, next);
}

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
export const spinnerFrame = (frame: number): string => FRAMES[frame % FRAMES.length] ?? '';

const BAR = 12;
/** More would scroll away, and could not be drawn again. */
const MAX_LINES = 10;

function bar(fraction: number | undefined, theme: Theme): string {
  if (fraction === undefined) return theme.dim('·'.repeat(BAR));
  const full = Math.round(fraction * BAR);
  return theme.accent('━'.repeat(full)) + theme.dim('─'.repeat(BAR - full));
}

/** The lines at the foot of a terminal: one a running step. Pure. */
export function liveLines(
  running: RunningSteps,
  { nowMs, frame, stepWidth, theme }: { nowMs: number; frame: number; stepWidth: number; theme: Theme },
): string[] {
  const glyph = spinnerFrame(frame);
  const shown = [...running.values()].slice(0, MAX_LINES);
  const hidden = running.size - shown.length;
  const lines = shown.map(({ stepId, startedMs, fraction, message }) => {
    const took = duration(nowMs - startedMs).padStart(9);
    const left = theme.columns - (9 + 2 + 2 + stepWidth + 2 + BAR + 2) - 1;
    const text = theme.dim(fit(plain(message), Math.max(0, left)));
    return `${theme.dim(took)}  ${theme.accent(glyph)} ${fit(stepId, stepWidth).padEnd(stepWidth)}  ${bar(fraction, theme)}  ${text}`;
  });
  return hidden > 0 ? [...lines, theme.dim(`${' '.repeat(11)}and ${hidden} more that run`)] : lines;
}
