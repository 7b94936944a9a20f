import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  BadInputError,
  type ProcessorContext,
  type QueueMessage,
  runProcessor,
} from '../../../../processors/sdk/index.ts';

interface Params {
  readonly value?: number;
  readonly mode?: 'ok' | 'exit1' | 'hang' | 'daemon';
  readonly work_ms?: number;
  readonly fail_attempts?: number;
  readonly log_lines?: number;
  readonly keys?: number;
  readonly messages?: number;
  readonly leak?: boolean;
}

const VISIBILITY_S = 2;
const HOLDS_S = 60;

/** Not to be tried again: what scratch promises it promises at the first attempt. */
function must(holds: boolean, what: string): void {
  if (!holds) throw new BadInputError(`scratch does not keep its word: ${what}`);
}

/** Keys of this attempt: one before may have been lost in the middle. */
async function useKeys(ctx: ProcessorContext, count: number): Promise<void> {
  const { kv, attempt } = ctx;
  for (let n = 0; n < count; n++) {
    const key = `key-${attempt}-${n}`;
    await kv.put(key, `value ${n}`);
    must(new TextDecoder().decode(await kv.get(key)) === `value ${n}`, 'a key has another value');
    if (n % 2 === 1) await kv.delete(key);
    must((await kv.get(key)) === undefined || n % 2 === 0, 'a deleted key is there');
  }
  if (count === 0) return;
  const sums = await Promise.all(Array.from({ length: count }, () => kv.incr(`sum-${attempt}`)));
  must(new Set(sums).size === count && Math.max(...sums) === count, `sums are ${sums}`);
}

/**
 * Every message is taken twice, since its first lease is left to end or it is handed back, then acknowledged, and comes never again. A
 * receipt of a lease that another delivery ended is refused.
 */
async function useQueue(ctx: ProcessorContext, count: number): Promise<void> {
  if (count === 0) return;
  const queue = ctx.queue(`topic-${ctx.attempt}`);
  const bodies = Array.from({ length: count }, (_, n) => `message ${n}`);
  for (const body of bodies) await queue.publish(body);
  const takeAll = async (visibilityTimeoutS: number): Promise<QueueMessage[]> => {
    const taken = new Map<string, QueueMessage>();
    while (taken.size < count) {
      const got = await queue.consume({ maxMessages: count, visibilityTimeoutS, waitS: 5 });
      for (const message of got) taken.set(message.id, message);
    }
    return [...taken.values()];
  };
  const first = await takeAll(VISIBILITY_S);
  for (const [index, message] of first.entries()) {
    if (index % 2 === 0) await queue.nack(message, { reason: 'again' }).catch(() => undefined);
  }
  const second = await takeAll(HOLDS_S);
  const stale = first.find((_, index) => index % 2 === 1);
  if (stale !== undefined) {
    const refused = await queue.ack(stale).then(
      () => false,
      () => true,
    );
    must(refused, 'a receipt holds whose lease has ended');
  }
  const texts = second.map(({ body }) => new TextDecoder().decode(body)).sort();
  must(JSON.stringify(texts) === JSON.stringify(bodies.sort()), `messages are ${texts}`);
  for (const message of second) await queue.ack(message);
  must((await queue.consume({ maxMessages: count })).length === 0, 'an acknowledged message came again');
}

/** A process that left the group and the session of its run. */
const leaveDaemon = (): void => spawn('sleep', ['600'], { detached: true, stdio: 'ignore' }).unref();

/** A processor of the soak: it behaves or misbehaves as its params say, and says the same in every attempt that succeeds. */
await runProcessor(async (ctx) => {
  const { value = 0, mode, work_ms: workMs = 0, fail_attempts: failAttempts = 0, ...more } = ctx.params as Params;
  ctx.progress(0.5, 'half way');
  if (workMs > 0) await sleep(workMs);
  if (ctx.attempt <= failAttempts || mode === 'exit1') throw new Error(`attempt ${ctx.attempt} fails as it was told`);
  if (mode === 'hang') await sleep(3_600_000);
  if (mode === 'daemon') leaveDaemon();
  for (let line = 0; line < (more.log_lines ?? 0); line++) ctx.log(`line ${line} of a long log, as it was told`);
  if (more.leak === true) {
    const token = ctx.secret('SOAK_TOKEN');
    ctx.log(`the token is ${token}`);
    await ctx.kv.put(token, 'behind a key that nobody may read');
  }
  await useKeys(ctx, more.keys ?? 0);
  await useQueue(ctx, more.messages ?? 0);
  const inputs = await Promise.all(ctx.inputNames.map(async (name) => [name, await ctx.input(name).text()]));
  await ctx.output('out.json').write(JSON.stringify({ value, inputs: Object.fromEntries(inputs) }));
});
