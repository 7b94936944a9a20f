import type { Report } from '../../shared/runtime/contract.ts';
import type { Assignment, RunHandle, RunResult, RuntimeAdapter } from '../../shared/runtime/runtime.ts';

export const textOf = ({ log }: RunResult): string => Buffer.from(log).toString('utf8');

/** The rest of the log line that begins with a word. */
export const said = (result: RunResult, word: string): string | undefined =>
  textOf(result)
    .split('\n')
    .find((line) => line.startsWith(`${word} `))
    ?.slice(word.length + 1);

const isReady = (report: Report): boolean => report.isomorph === 'progress';

/** Resolves when the processor has told that it has begun. */
export async function whenBegun(
  runtime: RuntimeAdapter,
  one: Assignment,
): Promise<{ readonly handle: RunHandle; readonly begun: Promise<void> }> {
  let tell: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const handle = await runtime.run(one, (report) => {
    if (isReady(report)) tell();
  });
  return { handle, begun };
}
