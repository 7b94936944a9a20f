/** What the benches share: contenders that take turns, medians, and what the machine is. */
import { arch, cpus, totalmem } from 'node:os';

export interface BenchResult {
  /** Ours over the reference; above 1 is better than it. */
  readonly ratios: Readonly<Record<string, number>>;
  /** Absolute numbers, their unit at the end of the name. */
  readonly figures: Readonly<Record<string, number>>;
  /** Lines for people that a table cannot say. */
  readonly notes?: readonly string[];
}

/** What a file `bench/<name>.ts` exports as `bench`. */
export type Bench = () => Promise<BenchResult>;

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low = Number.NaN, high = Number.NaN] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]];
  return (low + high) / 2;
};

/** Work that takes its turn; `round` counts from 0. */
export type Contender = (round: number) => Promise<unknown>;

/**
 * Lets contenders take turns, the order changing each round, and times every turn after the first `warmUps`: what is
 * measured is code that runs all day, not its compilation.
 * @returns for each contender its median in seconds, and for `ours` the median of the ratios reference/ours of each
 * round: a machine that is slow for a while is slow for both
 */
export async function takeTurns(
  ours: Contender,
  reference: Contender,
  rounds: number,
  warmUps = 0,
): Promise<{ readonly oursS: number; readonly referenceS: number; readonly ratio: number }> {
  const times: { readonly ours: number[]; readonly reference: number[] } = { ours: [], reference: [] };
  const timed = async (contender: Contender, round: number): Promise<number> => {
    const startNs = process.hrtime.bigint();
    await contender(round);
    return Number(process.hrtime.bigint() - startNs) / 1e9;
  };
  for (let round = 0; round < warmUps + rounds; round += 1) {
    const turns = [
      async () => times.ours.push(await timed(ours, round)),
      async () => times.reference.push(await timed(reference, round)),
    ];
    for (const turn of round % 2 === 0 ? turns : turns.reverse()) await turn();
  }
  for (const all of Object.values(times)) all.splice(0, warmUps);
  const ratios = times.ours.map((seconds, round) => (times.reference[round] ?? Number.NaN) / seconds);
  return { oursS: median(times.ours), referenceS: median(times.reference), ratio: median(ratios) };
}

/** Runs `work` for 0…count-1, `concurrency` at a time. */
export async function inParallel(
  count: number,
  concurrency: number,
  work: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const index = next;
      next += 1;
      await work(index);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}

export const machine = () => ({
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  memory_gib: Math.round(totalmem() / 2 ** 30),
  os: `${process.platform} ${arch()}`,
  node: process.version,
});
