/**
 * One process of `many-processes.ts`. It reads its task from the environment and writes a line for each thing that
 * happened: a pipe is written synchronously, so that a SIGKILL loses no line of what came before it.
 */
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { openKv } from '../../shared/scratch/kv/open.ts';
import { openQueue } from '../../shared/scratch/queue/open.ts';

export interface ConsumeTask {
  readonly do: 'consume';
  readonly url: string;
  readonly planId: string;
  readonly topic: string;
  readonly visibilityTimeoutS: number;
}

export interface CountTask {
  readonly do: 'count';
  readonly url: string;
  readonly planId: string;
  readonly key: string;
  readonly times: number;
}

export type Task = ConsumeTask | CountTask;

/**
 * `consumed` is a call that came back; `hadRoom`: with fewer messages than it asked for. `delivered` comes before the ack is
 * sent, `acked` after it is confirmed.
 */
export type Line =
  | { readonly is: 'ready' }
  | { readonly is: 'consumed'; readonly startedMs: number; readonly endedMs: number; readonly hadRoom: boolean }
  | { readonly is: 'delivered' | 'acked'; readonly body: string; readonly deliveries: number; readonly atMs: number }
  | { readonly is: 'counted'; readonly value: number };

const MAX_MESSAGES = 10;
/** A machine that is busy with all the other processes is no fault. */
const timeoutMs = 60_000;

const say = (line: Line): void => {
  process.stdout.write(`${JSON.stringify(line)}\n`);
};

async function consume({ url, planId, topic, visibilityTimeoutS }: ConsumeTask): Promise<never> {
  // Deliveries to killed processes must not make dead letters here.
  const queue = await openQueue(url, { maxDeliveries: 1_000, timeoutMs });
  say({ is: 'ready' });
  for (;;) {
    const startedMs = Date.now();
    const messages = await queue.consume({ planId, topic, maxMessages: MAX_MESSAGES, visibilityTimeoutS, waitS: 1 });
    const atMs = Date.now();
    say({ is: 'consumed', startedMs, endedMs: atMs, hadRoom: messages.length < MAX_MESSAGES });
    const lines = messages.map(({ body, deliveries }) => ({ body: Buffer.from(body).toString(), deliveries }));
    for (const line of lines) say({ is: 'delivered', ...line, atMs });
    await Promise.all(
      messages.map(async ({ receiptHandle }, index) => {
        try {
          await queue.ack({ planId, topic, receiptHandle });
          const line = lines[index];
          if (line !== undefined) say({ is: 'acked', ...line, atMs: Date.now() });
        } catch (error) {
          // The machine was slow and the lease ended: the message is somebody else's now.
          if (!(error instanceof IsomorphError && error.code === 'ERR_RECEIPT')) throw error;
        }
      }),
    );
  }
}

async function count({ url, planId, key, times }: CountTask): Promise<void> {
  const kv = await openKv(url, { timeoutMs });
  say({ is: 'ready' });
  for (let done = 0; done < times; done++) say({ is: 'counted', value: await kv.incr({ planId, key }) });
  await kv.close();
}

const task = JSON.parse(process.env.ISOMORPH_TEST_TASK ?? 'null') as Task | null;
if (task?.do === 'consume') await consume(task);
else if (task?.do === 'count') await count(task);
