import os from 'node:os';
import type { RunOutcome, RunResult } from './runtime.ts';

/** Why we ended a run. It is written down before the signal, so that it survives us. */
export type StopReason = 'timed_out' | 'killed';

/** The signal that an exit code stands for, as shells and engines tell it: 128 and its number. */
export const signalOf = (exitCode: number): string | undefined =>
  Object.entries(os.constants.signals).find(([, number]) => number === exitCode - 128)?.[0];

/** The result of what did not run, or of which nothing more is known than why: then nobody knows how long it ran either. */
export const endedWithout = (
  outcome: Extract<RunOutcome, { readonly reason: string }>,
  {
    error,
    durationMs = outcome.kind === 'lost' ? null : 0,
  }: { readonly error?: RunResult['error']; readonly durationMs?: number | null } = {},
): RunResult => ({
  outcome,
  durationMs,
  log: new TextEncoder().encode(`${outcome.reason}\n`),
  error,
});
