/**
 * KV and queues against the bare client doing the same calls on the same server, taking turns: what the portable wrapper
 * and the driver cost. `_ops` is ours over the bare client's operations a second (goal: at least 0.9), `_p99` ours over its
 * 99th percentile of a step (goal: at most 1.15). A step of KV is put and get; of a queue publish, consume and ack.
 */
import { available } from '../test/harness/servers/index.ts';
import type { BenchResult } from './harness.ts';
import type { Backend } from './scratch/contender.ts';
import { contest } from './scratch/contest.ts';
import { goalsTable } from './scratch/goals.ts';
import { memoryCosts } from './scratch/memory.ts';
import { startModal } from './scratch/modal.ts';
import { startNats } from './scratch/nats.ts';
import { startRedis } from './scratch/redis.ts';
import { startSqs } from './scratch/sqs.ts';

/** Each backend that this machine can serve. A new one adds its line. */
const BACKENDS: readonly { readonly isHere: () => Promise<boolean>; readonly start: () => Promise<Backend> }[] = [
  { isHere: async () => true, start: startNats },
  { isHere: async () => (await available('redis-server')).ok, start: startRedis },
  { isHere: async () => true, start: startSqs },
  { isHere: async () => true, start: startModal },
];

export async function bench(): Promise<BenchResult> {
  const figures: Record<string, number> = { ...(await memoryCosts()) };
  const ratios: Record<string, number> = {};
  for (const { isHere, start } of BACKENDS) {
    if (!(await isHere())) continue;
    const backend = await start();
    try {
      for (const one of backend.contests) {
        const result = await contest(one);
        Object.assign(ratios, result.ratios);
        Object.assign(figures, result.figures);
      }
    } finally {
      await backend.stop();
    }
  }
  return { ratios, figures, notes: goalsTable({ ratios, figures }) };
}
