import { openKv } from '../../shared/scratch/kv/open.ts';
import { openQueue } from '../../shared/scratch/queue/open.ts';
import { median } from '../harness.ts';
import { PLAN, TOPIC, VALUE } from './contender.ts';

const STEPS = 100_000;
const ROUNDS = 7;

async function usPerOp(opsPerStep: number, step: (index: number) => Promise<unknown>): Promise<number> {
  const figures: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.cpuUsage();
    for (let index = 0; index < STEPS; index++) await step(index);
    const { user, system } = process.cpuUsage(start);
    figures.push((user + system) / (STEPS * opsPerStep));
  }
  return median(figures);
}

/**
 * What the wrapper and the memory driver cost together, in microseconds of processor time an operation: on a shared machine
 * the clock tells more of its other work.
 */
export async function memoryCosts(): Promise<Readonly<Record<string, number>>> {
  const [kv, queue] = [await openKv('memory:'), await openQueue('memory:')];
  const at = (index: number) => ({ planId: PLAN, key: `key ${index % 1_000}` });
  const costs = {
    memory_kv_put_us: await usPerOp(1, (index) => kv.put({ ...at(index), value: VALUE })),
    memory_kv_get_us: await usPerOp(1, (index) => kv.get(at(index))),
    memory_kv_incr_us: await usPerOp(1, (index) => kv.incr({ planId: PLAN, key: `counter ${index % 1_000}` })),
    memory_queue_us: await usPerOp(3, async () => {
      await queue.publish({ planId: PLAN, topic: TOPIC, body: VALUE });
      const [message] = await queue.consume({ planId: PLAN, topic: TOPIC });
      await queue.ack({ planId: PLAN, topic: TOPIC, receiptHandle: message?.receiptHandle ?? '' });
    }),
  };
  await Promise.all([kv.close(), queue.close()]);
  return costs;
}
