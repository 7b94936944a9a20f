import type { Mutant } from './instrument.ts';
import type { Runner } from './pool.ts';
import type { Hits } from './worker.ts';

/** How a mutant fared. All but the last two are deaths. */
export type Fate = 'failed a test' | 'looped' | 'crashed' | 'survived' | 'never reached';

export const died = (fate: Fate): boolean => fate !== 'survived' && fate !== 'never reached';

/** A suite, bundled, and what its tests reach of the code as it stands. */
export interface Judge {
  readonly suite: string;
  readonly bundle: string;
  readonly durationMs: number;
  readonly loadHits: Hits;
  readonly testHits: readonly Hits[];
}

/** Beyond so many times the passes of a good run, a mutant loops. */
const HITS_FACTOR = 100;

/** Wide, for a busy machine: only what loops without passing the mutated place waits for it. */
const timeoutMs = (judge: Judge): number => 5_000 + 5 * judge.durationMs;

/** Runs a suite on the code as it stands: it must pass, and tells what its tests reach. */
export async function learn(runner: Runner, suite: string, bundle: string): Promise<Judge> {
  const end = await runner.run({ bundle }, 300_000);
  if (end.kind !== 'reply') throw new Error(`${suite}: ${end.kind} without any mutant`);
  const { failed, ...reached } = end.reply;
  if (failed !== undefined) throw new Error(`${suite} fails without any mutant: ${failed.test}: ${failed.error}`);
  return { suite, bundle, ...reached };
}

interface Trial {
  readonly judge: Judge;
  /** undefined: all, since the mutated place is passed when the suite is loaded. */
  readonly tests: readonly number[] | undefined;
  readonly hits: number;
}

function trialOf(judge: Judge, { id }: Mutant): Trial | undefined {
  const atLoad = judge.loadHits[id] ?? 0;
  const inTests = judge.testHits.map((hits) => hits[id] ?? 0);
  const hits = inTests.reduce((total, one) => total + one, atLoad);
  if (hits === 0) return undefined;
  const tests = atLoad > 0 ? undefined : inTests.flatMap((count, test) => (count > 0 ? [test] : []));
  return { judge, tests, hits };
}

/** Runs the tests that reach a mutant, suite after suite, until one fails. */
export async function judgeMutant(runner: Runner, mutant: Mutant, judges: readonly Judge[]): Promise<Fate> {
  const trials = judges.flatMap((judge) => trialOf(judge, mutant) ?? []);
  trials.sort((a, b) => a.judge.durationMs - b.judge.durationMs);
  for (const { judge, tests, hits } of trials) {
    const request = { bundle: judge.bundle, mutant: mutant.id, tests, hitLimit: HITS_FACTOR * hits };
    const end = await runner.run(request, timeoutMs(judge));
    if (end.kind === 'timeout') return 'looped';
    if (end.kind === 'crash') return 'crashed';
    if (end.reply.failed !== undefined) return 'failed a test';
  }
  return trials.length === 0 ? 'never reached' : 'survived';
}
