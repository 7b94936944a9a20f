/** The goals of the issue against what was measured, as a table for people. Pure. */
import type { BenchResult } from '../harness.ts';

const LEAST_OPS = 0.9;
const MOST_P99 = 1.15;
const MOST_MEMORY_US = 2;

const HEAD = ['', 'ours', 'bare', 'ratio', 'p99', 'goals'];
const WIDTHS = [18, 10, 10, 7, 7, 0];

const row = (cells: readonly string[]): string =>
  cells
    .map((cell, index) => (index === 0 ? cell.padEnd(WIDTHS[index] ?? 0) : cell.padStart(WIDTHS[index] ?? 0)))
    .join('  ');

const verdict = (isMet: boolean): string => (isMet ? 'met' : 'MISSED');

/** @returns one line a contest (operations a second) and a line each cost of memory (microseconds an operation) */
export function goalsTable({ ratios, figures }: BenchResult): readonly string[] {
  const figure = (name: string): number => figures[name] ?? Number.NaN;
  const contests = Object.entries(ratios).flatMap(([key, ops]) => {
    const name = /^(.+)_ops$/.exec(key)?.[1];
    if (name === undefined) return [];
    const p99 = ratios[`${name}_p99`] ?? Number.NaN;
    const rates = [figure(`${name}_ops_per_s`), figure(`${name}_bare_ops_per_s`)].map((rate) => rate.toFixed(0));
    return [row([name, ...rates, ops.toFixed(2), p99.toFixed(2), verdict(ops >= LEAST_OPS && p99 <= MOST_P99)])];
  });
  const costs = Object.entries(figures).flatMap(([key, us]) =>
    key.startsWith('memory_') ? [row([key, us.toFixed(2), '', '', '', verdict(us < MOST_MEMORY_US)])] : [],
  );
  const goals = `goals: operations a second at least ${LEAST_OPS} of the bare client's, p99 at most ${MOST_P99}`;
  return [`${goals}; memory under ${MOST_MEMORY_US} µs an operation`, row(HEAD), ...contests, ...costs];
}
