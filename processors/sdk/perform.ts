import type { ContextShell, ProcessorContext } from './context.ts';
import { EXIT_FAILURE, ProcessorError } from './errors.ts';
import type { Report } from './reports.ts';

/** What a processor does with one job. */
export type Work = (context: ProcessorContext) => Promise<void>;

/** Does the work. Required outputs that it did not write are a failure. */
export async function perform(work: Work, shell: ContextShell): Promise<void> {
  await work(shell.context);
  const unwritten = shell.unwritten();
  if (unwritten.length === 0) return;
  throw new ProcessorError(`required outputs were not written: ${unwritten.join(', ')}`, {
    code: 'ERR_OUTPUT_MISSING',
  });
}

type ErrorReport = Extract<Report, { readonly isomorph: 'error' }>;

/** What is reported of any thrown value. */
export function errorOf(thrown: unknown): ErrorReport {
  const known = thrown instanceof ProcessorError ? thrown : undefined;
  return {
    isomorph: 'error',
    code: known?.code ?? 'ERR_EXIT',
    message: thrown instanceof Error ? thrown.message : String(thrown),
    ...(known?.retryable === undefined ? {} : { retryable: known.retryable }),
  };
}

/** The exit code that a thrown value stands for. */
export const exitOf = (thrown: unknown): number => (thrown instanceof ProcessorError ? thrown.exitCode : EXIT_FAILURE);

/** Reports a thrown value where the job can be told of it, and returns its exit code. */
export function failWith(thrown: unknown, shell: ContextShell): number {
  shell.report(errorOf(thrown));
  // A defect of the processor: its stack belongs into the log, for whoever has to find it.
  if (!(thrown instanceof ProcessorError) && thrown instanceof Error) shell.context.log(thrown.stack ?? thrown.message);
  return exitOf(thrown);
}
