import { runProcessor, TransientError } from '../sdk/index.ts';

const AT_ONCE = 20;

interface Longest {
  readonly number: number;
  readonly steps: number;
}

await runProcessor(async (ctx) => {
  const { items } = ctx.params as { items: number };
  let total = 0;
  let longest: Longest = { number: 1, steps: 0 };
  for (let first = 1; first <= items; first += AT_ONCE) {
    const batch = Array.from({ length: Math.min(AT_ONCE, items - first + 1) }, (_, index) => first + index);
    const values = await Promise.all(batch.map((n) => ctx.kv.get(`length/${n}`)));
    for (const [index, value] of values.entries()) {
      const number = first + index;
      if (value === undefined) throw new TransientError(`nobody has worked on ${number} yet`);
      const steps = Number(new TextDecoder().decode(value));
      total += steps;
      if (steps > longest.steps) longest = { number, steps };
    }
  }
  await ctx.output('report.json').write(JSON.stringify({ items, longest, total_steps: total }));
});
