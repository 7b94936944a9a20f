import { type ProcessorContext, type QueueMessage, runProcessor } from '../sdk/index.ts';

const AT_ONCE = 20;
const WAIT_S = 2;
const VISIBILITY_S = 60;

/** Steps until the Collatz sequence of `n` reaches 1. */
function chainLength(n: number): number {
  let steps = 0;
  for (let value = n; value > 1; steps += 1) value = value % 2 === 0 ? value / 2 : 3 * value + 1;
  return steps;
}

/**
 * A worker may die between any two of these lines; the message then comes again. So the result is a put, which may
 * happen twice, and the count is a hint for when to stop looking: only first deliveries are counted.
 */
async function work({ kv, queue }: ProcessorContext, message: QueueMessage): Promise<void> {
  const n = Number(new TextDecoder().decode(message.body));
  await kv.put(`length/${n}`, String(chainLength(n)));
  if (message.deliveries === 1) await kv.incr('counted');
  await queue('numbers').ack(message);
}

async function countedAll({ kv }: ProcessorContext, items: number): Promise<boolean> {
  const counted = await kv.get('counted');
  return Number(new TextDecoder().decode(counted)) >= items;
}

/** The truth behind the hint. */
async function isComplete({ kv }: ProcessorContext, items: number): Promise<boolean> {
  for (let n = items; n > 0; n -= 1) {
    if ((await kv.get(`length/${n}`)) === undefined) return false;
  }
  return true;
}

await runProcessor(async (ctx) => {
  const { items } = ctx.params as { items: number };
  const numbers = ctx.queue('numbers');
  let worked = 0;
  for (;;) {
    const options = { maxMessages: AT_ONCE, waitS: WAIT_S, visibilityTimeoutS: VISIBILITY_S };
    const messages = await numbers.consume(options);
    await Promise.all(messages.map((message) => work(ctx, message)));
    worked += messages.length;
    ctx.progress(worked / items, `worked on ${worked}`);
    if (await countedAll(ctx, items)) break;
    if (messages.length === 0 && (await isComplete(ctx, items))) break;
  }
  ctx.log(`this worker had ${worked} of ${items} numbers`);
});
