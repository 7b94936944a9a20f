/**
 * `npm run mutate [-- --only <part of a file name>] [--count N] [--seed S] [--jobs J]`: changes the pure core in one
 * place at a time and runs the suites of that file, to see whether they notice. The sample follows the seed. Ends with 1
 * when fewer than nine in ten mutants die. docs/testing.md tells of those that live.
 */
import { randomInt } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import fc from 'fast-check';
import { bundleSuites } from './mutate/bundle.ts';
import { instrument, type Mutant } from './mutate/instrument.ts';
import { died, type Fate, type Judge, judgeMutant, learn } from './mutate/judge.ts';
import { Runner } from './mutate/pool.ts';
import { SUBJECTS } from './mutate/subjects.ts';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const LEAST_PERCENT = 90;
const REPORT_EVERY_MS = 15_000;

interface Options {
  readonly only: string;
  readonly count: number;
  readonly seed: number;
  readonly jobs: number;
}

interface Judged {
  readonly mutant: Mutant;
  readonly fate: Fate;
}

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

function positive(text: string, name: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new RangeError(`--${name} takes a positive integer`);
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: '' },
      count: { type: 'string', default: '1000' },
      seed: { type: 'string' },
      jobs: { type: 'string', default: String(os.availableParallelism()) },
    },
  });
  return {
    only: values.only,
    count: positive(values.count, 'count'),
    seed: values.seed === undefined ? randomInt(1, 2 ** 30) : positive(values.seed, 'seed'),
    jobs: positive(values.jobs, 'jobs'),
  };
}

/** So many of them, in the order of the code; equal seeds choose equal ones. */
function sampleOf(mutants: readonly Mutant[], count: number, seed: number): readonly Mutant[] {
  const length = Math.min(count, mutants.length);
  const [sample = []] = fc.sample(fc.subarray([...mutants], { minLength: length, maxLength: length }), {
    seed,
    numRuns: 1,
  });
  return sample;
}

const percent = (part: number, whole: number): string => (whole === 0 ? '—' : `${((100 * part) / whole).toFixed(1)} %`);

/** On one line, so that a list of survivors reads like one. */
const brief = (code: string): string => {
  const line = code.replace(/\s+/g, ' ');
  return line.length > 90 ? `${line.slice(0, 89)}…` : line;
};

function told({ mutant, fate }: Judged): string {
  const { file, line, column, mutator, original, replacement } = mutant;
  return `${fate}: ${file}:${line}:${column} ${mutator}\n    - ${brief(original)}\n    + ${brief(replacement)}`;
}

async function learnAll(worker: string, bundles: ReadonlyMap<string, string>): Promise<ReadonlyMap<string, Judge>> {
  const runner = new Runner(worker);
  const judges = new Map<string, Judge>();
  try {
    for (const [suite, bundle] of bundles) judges.set(suite, await learn(runner, suite, bundle));
  } finally {
    await runner.close();
  }
  return judges;
}

async function judgeAll(
  worker: string,
  sample: readonly Mutant[],
  judges: ReadonlyMap<string, Judge>,
  jobs: number,
): Promise<readonly Judged[]> {
  const judged: Judged[] = [];
  const left = [...sample];
  const startMs = performance.now();
  let reportedMs = startMs;
  const work = async (): Promise<void> => {
    const runner = new Runner(worker);
    for (let mutant = left.shift(); mutant !== undefined; mutant = left.shift()) {
      const own = (SUBJECTS.get(mutant.file) ?? []).flatMap((suite) => judges.get(suite) ?? []);
      const one: Judged = { mutant, fate: await judgeMutant(runner, mutant, own) };
      judged.push(one);
      // At once: a long run that is broken off has told what it found.
      if (!died(one.fate)) say(told(one));
      const nowMs = performance.now();
      if (nowMs - reportedMs < REPORT_EVERY_MS) continue;
      reportedMs = nowMs;
      const lived = judged.filter(({ fate }) => !died(fate)).length;
      say(`${judged.length} of ${sample.length}, ${lived} live, ${Math.round((nowMs - startMs) / 1000)} s`);
    }
    await runner.close();
  };
  await Promise.all(Array.from({ length: jobs }, work));
  return judged;
}

/** The score by file; how many died in all. */
function report(judged: readonly Judged[], files: readonly string[]): number {
  say('');
  for (const file of files) {
    const own = judged.filter(({ mutant }) => mutant.file === file);
    const dead = own.filter(({ fate }) => died(fate)).length;
    const counts = `${String(dead).padStart(5)} of ${String(own.length).padStart(5)}`;
    say(`${file.padEnd(52)} ${counts}  ${percent(dead, own.length)}`);
  }
  return judged.filter(({ fate }) => died(fate)).length;
}

async function mutate({ only, count, seed, jobs }: Options): Promise<boolean> {
  const files = [...SUBJECTS.keys()].filter((file) => file.includes(only)).sort();
  if (files.length === 0) throw new RangeError(`--only ${only}: no file of the pure core has that in its name`);
  const startMs = performance.now();
  const folder = await mkdtemp(path.join(os.tmpdir(), 'isomorph-mutate-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const { mutants, sources } = await instrument(ROOT, files);
  const suites = [...new Set(files.flatMap((file) => SUBJECTS.get(file) ?? []))].sort();
  const bundles = await bundleSuites(ROOT, folder, suites, sources);
  const worker = path.join(folder, 'worker.mjs');
  const entry = fileURLToPath(new URL('mutate/worker.ts', import.meta.url));
  await build({
    entryPoints: [entry],
    outfile: worker,
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
  });
  const judges = await learnAll(worker, bundles);
  const sample = sampleOf(mutants, count, seed);
  say(`${sample.length} of ${mutants.length} mutants in ${files.length} files, ${suites.length} suites, seed ${seed}`);
  const dead = report(await judgeAll(worker, sample, judges, jobs), files);
  const minutes = ((performance.now() - startMs) / 60_000).toFixed(1);
  say(`\n${dead} of ${sample.length} died: ${percent(dead, sample.length)}; seed ${seed}; ${minutes} minutes`);
  return 100 * dead >= LEAST_PERCENT * sample.length;
}

// So that what runs is ended too when the run is broken off.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

try {
  process.exitCode = (await mutate(readOptions())) ? 0 : 1;
} catch (error) {
  if (!(error instanceof RangeError || error instanceof TypeError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
