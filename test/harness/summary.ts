/** What one suite came to. */
export interface Summary {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Why it was skipped, or why it counts as failed although no test did. */
  readonly reason: string | undefined;
}

const count = (output: string, label: string): number =>
  [...output.matchAll(new RegExp(`^\\s*${label}:\\s+(\\d+)\\s*$`, 'gm'))].reduce(
    (sum, match) => sum + Number(match[1]),
    0,
  );

/**
 * Reads what uvu printed. uvu exits 0 for a suite that ran no test, so that is looked for here: a suite which ran
 * nothing and gave no reason has failed.
 * @param exitCode null when a signal ended it
 */
export function readSummary(output: string, exitCode: number | null): Summary {
  const skip = /^SKIPPED SUITE [^:]*: (.*)$/m.exec(output)?.[1];
  const [total, passed, skipped] = [count(output, 'Total'), count(output, 'Passed'), count(output, 'Skipped')];
  if (exitCode === 0 && total === 0 && skip !== undefined) return { passed: 0, failed: 0, skipped: 1, reason: skip };
  const failed = total - passed;
  const summary = { passed, skipped, reason: undefined };
  if (exitCode === 0 && total === 0) return { ...summary, failed: 1, reason: 'it ran no test' };
  if (exitCode === 0) return { ...summary, failed };
  const how = exitCode === null ? 'it was killed, perhaps for taking too long' : `exit code ${exitCode}`;
  return { ...summary, failed: Math.max(1, failed), reason: how };
}
