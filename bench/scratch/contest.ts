import { type BenchResult, inParallel, median } from '../harness.ts';
import type { Contest } from './contender.ts';

const CONCURRENCY = 8;
const ROUNDS = 15;
const P99 = 0.99;

interface Turn {
  readonly opsPerS: number;
  readonly p99Ms: number;
}

async function turn(
  { steps, opsPerStep, concurrency = CONCURRENCY }: Contest,
  first: number,
  step: (index: number) => Promise<unknown>,
): Promise<Turn> {
  const times: number[] = [];
  const startMs = performance.now();
  await inParallel(steps, concurrency, async (index) => {
    const stepMs = performance.now();
    await step(first + index);
    times.push(performance.now() - stepMs);
  });
  const elapsedS = (performance.now() - startMs) / 1_000;
  times.sort((a, b) => a - b);
  return { opsPerS: (steps * opsPerStep) / elapsedS, p99Ms: times[Math.floor(steps * P99)] ?? Number.NaN };
}

/** Both take turns, the first of them changing each round; medians of the ratios of each round. */
export async function contest(one: Contest): Promise<BenchResult> {
  const ours: Turn[] = [];
  const bare: Turn[] = [];
  // The first round warms both up and does not count.
  for (let round = 0; round <= ROUNDS; round++) {
    const first = round * one.steps;
    const turns = [
      async () => ours.push(await turn(one, first, (index) => one.ours(index))),
      async () => bare.push(await turn(one, first, (index) => one.bare(index))),
    ];
    for (const take of round % 2 === 0 ? turns : turns.reverse()) await take();
  }
  const ratio = (of: (turn: Turn) => number): number =>
    median(ours.slice(1).map((turn, index) => of(turn) / of(bare[index + 1] ?? turn)));
  const middle = (turns: readonly Turn[], of: (turn: Turn) => number): number => median(turns.slice(1).map(of));
  return {
    ratios: { [`${one.name}_ops`]: ratio(({ opsPerS }) => opsPerS), [`${one.name}_p99`]: ratio(({ p99Ms }) => p99Ms) },
    figures: {
      [`${one.name}_ops_per_s`]: middle(ours, ({ opsPerS }) => opsPerS),
      [`${one.name}_bare_ops_per_s`]: middle(bare, ({ opsPerS }) => opsPerS),
      [`${one.name}_p99_ms`]: middle(ours, ({ p99Ms }) => p99Ms),
      [`${one.name}_bare_p99_ms`]: middle(bare, ({ p99Ms }) => p99Ms),
    },
  };
}
