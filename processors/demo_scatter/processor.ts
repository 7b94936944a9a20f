import { runProcessor } from '../sdk/index.ts';

const AT_ONCE = 20;

await runProcessor(async (ctx) => {
  const { items } = ctx.params as { items: number };
  const queue = ctx.queue('numbers');
  for (let first = 1; first <= items; first += AT_ONCE) {
    const batch = Array.from({ length: Math.min(AT_ONCE, items - first + 1) }, (_, index) => first + index);
    // The key keeps a second attempt from publishing again what the first has.
    await Promise.all(batch.map((n) => queue.publish(String(n), { idempotencyKey: `number-${n}` })));
    ctx.progress(first / items, `published ${first}`);
  }
  await ctx.output('scattered.json').write(JSON.stringify({ items }));
});
