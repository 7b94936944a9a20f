/**
 * A client in a process of its own, for tests that count over processes and kill them. Writes one line for each thing it
 * knows to have happened: `counted <value>`, `seen <ms> <id>`, `acked <ms> <id>`.
 * Usage: worker.ts incr <planId> <times> | consume <planId> <topic> <visibilityS>
 */
import { openKv } from '../../../shared/scratch/kv/open.ts';
import { openQueue } from '../../../shared/scratch/queue/open.ts';

const say = (...words: (string | number)[]): void => {
  process.stdout.write(`${words.join(' ')}\n`);
};

async function count(planId: string, times: number): Promise<void> {
  const kv = await openKv('modal:', { timeoutMs: 60_000 });
  for (let done = 0; done < times; done++) say('counted', await kv.incr({ planId, key: 'n' }));
  await kv.close();
}

/** Until it is killed. */
async function consume(planId: string, topic: string, visibilityTimeoutS: number): Promise<never> {
  const queue = await openQueue('modal:', { maxDeliveries: 1_000 });
  for (;;) {
    const messages = await queue.consume({ planId, topic, maxMessages: 5, visibilityTimeoutS, waitS: 1 });
    for (const { id } of messages) say('seen', Date.now(), id);
    for (const { id, receiptHandle } of messages) {
      const isAcked = await queue.ack({ planId, topic, receiptHandle }).then(
        () => true,
        (error: Error) => say('refused', Date.now(), id, error.message),
      );
      if (isAcked === true) say('acked', Date.now(), id);
    }
  }
}

const [role, planId = '', ...rest] = process.argv.slice(2);
if (role === 'incr') await count(planId, Number(rest[0]));
else await consume(planId, rest[0] ?? '', Number(rest[1]));
