/**
 * The ledger and the journal: appending, verifying, projecting, and what a step costs by the size of its plan. Each beside
 * the barest thing that does the same work on the same server in the same run.
 */
import type { Bench, BenchResult } from './harness.ts';
import { appending } from './ledger/append.ts';
import { projecting } from './ledger/project.ts';
import { steps } from './ledger/steps.ts';
import { verifying } from './ledger/verify.ts';

/** In the order in which they run; those that need no server first. */
const PARTS: readonly (() => BenchResult | Promise<BenchResult>)[] = [
  verifying,
  steps,
  () => appending('sync'),
  () => appending('default'),
  projecting,
];

export const bench: Bench = async () => {
  const results: BenchResult[] = [];
  for (const part of PARTS) results.push(await part());
  return {
    ratios: Object.assign({}, ...results.map(({ ratios }) => ratios)),
    figures: Object.assign({}, ...results.map(({ figures }) => figures)),
    notes: [
      'append_64_plans, verify and project: events a second over events a second, more is better',
      'append_one_plan_p50: time over time, less is better',
      ...results.flatMap(({ notes = [] }) => notes),
    ],
  };
};
