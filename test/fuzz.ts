/**
 * `npm run fuzz -- <name> [--count N] [--seed S]`: the property tests, for as long as one likes. It runs in batches of
 * bounded memory, tells where it is, and ends with 1 and a counterexample that can be tried again.
 */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { Assertion as AssertionError } from 'uvu/assert';
import { illegalHistories, legalHistories, TELLINGS } from './ledger/legal-properties.ts';
import { poisonEveryDoor } from './poison/every-door.ts';
import { awkwardBytes, awkwardPath, checkFixedPoint, checkSpellings } from './world/path-properties.ts';

const REPORT_EVERY_MS = 10_000;

interface Target {
  /** Tries so many inputs; undefined when all are as they should be, else what was found. */
  readonly run: (numRuns: number, seed: number) => string | undefined | Promise<string | undefined>;
  /** Where `--count` does not say. */
  readonly count: number;
  /** Inputs between two looks at the clock. */
  readonly batch: number;
}

const paths = fc.oneof({ weight: 9, arbitrary: awkwardPath }, { weight: 1, arbitrary: awkwardBytes });

function worldPath(numRuns: number, seed: number): string | undefined {
  const property = fc.property(paths, (input) => {
    checkFixedPoint(input);
    checkSpellings(input);
  });
  return fc.defaultReportMessage(fc.check(property, { numRuns, seed }));
}

/** As many legal ones as illegal ones. */
const ledgerHistories = (numRuns: number, seed: number): string | undefined =>
  fc.defaultReportMessage(fc.check(legalHistories, { numRuns, seed })) ??
  fc.defaultReportMessage(fc.check(illegalHistories, { numRuns, seed, ...TELLINGS }));

/** A fifth of them at each door of a running stack. */
async function poison(numRuns: number, seed: number): Promise<string | undefined> {
  try {
    await poisonEveryDoor({ countEach: Math.ceil(numRuns / 6), seed });
    return undefined;
  } catch (error) {
    if (error instanceof AssertionError) return error.message;
    throw error;
  }
}

const TARGETS: Readonly<Record<string, Target>> = {
  worldpath: { run: worldPath, count: 1_000_000, batch: 50_000 },
  histories: { run: ledgerHistories, count: 10_000, batch: 500 },
  poison: { run: poison, count: 200_000, batch: 50_000 },
};

function positive(text: string, name: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new RangeError(`--${name} takes a positive integer`);
}

async function fuzz({ run, batch }: Target, count: number, seed: number): Promise<boolean> {
  const startMs = Date.now();
  let reportedMs = startMs;
  for (let done = 0; done < count; ) {
    const runs = Math.min(batch, count - done);
    // Each batch has a seed of its own: a counterexample is found again by its batch alone.
    const batchSeed = seed + done / batch;
    const fault = await run(runs, batchSeed);
    if (fault !== undefined) {
      process.stdout.write(`${fault}\nagain: --count ${runs} --seed ${batchSeed}\n`);
      return false;
    }
    done += runs;
    const nowMs = Date.now();
    if (nowMs - reportedMs < REPORT_EVERY_MS && done < count) continue;
    reportedMs = nowMs;
    const perS = Math.round(done / Math.max(0.001, (nowMs - startMs) / 1000));
    process.stdout.write(`${done} of ${count}, ${perS} a second\n`);
  }
  return true;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { count: { type: 'string' }, seed: { type: 'string' } },
    allowPositionals: true,
  });
  const [name = ''] = positionals;
  const target = Object.hasOwn(TARGETS, name) ? TARGETS[name] : undefined;
  if (target === undefined || positionals.length !== 1) {
    process.stderr.write(`usage: npm run fuzz -- <${Object.keys(TARGETS).join('|')}> [--count N] [--seed S]\n`);
    return 2;
  }
  const count = values.count === undefined ? target.count : positive(values.count, 'count');
  const seed = values.seed === undefined ? randomInt(1, 2 ** 30) : positive(values.seed, 'seed');
  process.stdout.write(`fuzz ${name}: ${count} inputs, seed ${seed}\n`);
  return (await fuzz(target, count, seed)) ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  // Not a stack for a slip on the command line.
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}
