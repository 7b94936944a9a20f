import { ProcessorError, runProcessor } from '../../../../processors/sdk/index.ts';

const { CANARY_NAME = '', CANARY_TOPIC = '' } = process.env;
/** A consumer gives a message up after so many nacks; the default of a queue. */
const DELIVERIES = 20;

const refused = async (call: Promise<unknown>): Promise<string> => {
  const thrown: unknown = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (thrown instanceof ProcessorError) return thrown.code;
  throw new Error('a call that must be refused was not');
};

/** Puts what it was granted wherever scratch takes a word of its own, well formed and not. */
await runProcessor(async (ctx) => {
  const { key, topic } = ctx.params as { key: string; topic: string };
  for (const name of [CANARY_NAME, CANARY_TOPIC]) {
    await ctx.kv.put(name, 'no number');
    await refused(ctx.kv.incr(name));
    await ctx.kv.put(name, name, { sensitive: true });
    await ctx.kv.delete(name);
    await ctx.kv.incr(name);
    await refused(ctx.kv.put(name.repeat(99), name));
    await refused(ctx.queue(`${name}!`).publish(name));
    await refused(ctx.queue(topic).ack({ receiptHandle: name }));
  }
  await ctx.kv.put(key, CANARY_NAME);
  for (const name of [CANARY_TOPIC, topic]) {
    const queue = ctx.queue(name);
    await queue.publish('body', { idempotencyKey: CANARY_NAME });
    for (let count = 0; count < DELIVERIES; count++) {
      const [message] = await queue.consume({ waitS: 10 });
      if (message === undefined) throw new Error('no message');
      await queue.nack(message, { reason: `because of ${CANARY_NAME} and ${CANARY_TOPIC}` });
    }
    const [dead] = await ctx.queue(`${name}.dead`).consume({ waitS: 10 });
    if (!dead?.deadReason?.includes(CANARY_NAME)) throw new Error('the reason did not come back from the dead letters');
    await ctx.queue(`${name}.dead`).nack(dead, { reason: CANARY_NAME });
  }
});
