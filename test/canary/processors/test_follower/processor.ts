import { runProcessor } from '../../../../processors/sdk/index.ts';

/** Is granted nothing, and learns a secret from a step before it. */
await runProcessor(async (ctx) => {
  const { key } = ctx.params as { key: string };
  const learned = await ctx.kv.get(key);
  if (learned === undefined) throw new Error('nothing was left');
  await ctx.kv.put(new TextDecoder().decode(learned), 'learned');
});
