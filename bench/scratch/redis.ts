import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { openKv } from '../../shared/scratch/kv/open.ts';
import { ACK, CONSUME, PUBLISH, TOPIC_PARTS } from '../../shared/scratch/queue/drivers/redis/scripts.ts';
import { openQueue } from '../../shared/scratch/queue/open.ts';
import { startRedis as startServer } from '../../test/harness/servers/index.ts';
import { BARE_PLAN, type Backend, PLAN, TOPIC, VALUE, VISIBILITY_S } from './contender.ts';

type Script = (...keysAndArguments: (string | number | Buffer)[]) => Promise<unknown>;

/** The bare client runs the scripts of the driver: a queue of plain commands would promise less. */
function scriptsOf(client: Redis): (script: typeof PUBLISH) => Script {
  for (const { name, numberOfKeys, lua } of [PUBLISH, CONSUME, ACK]) client.defineCommand(name, { numberOfKeys, lua });
  return ({ name }) => {
    const run = Reflect.get(client, `${name}Buffer`) as Script;
    return (...all) => run.apply(client, all);
  };
}

export async function startRedis(): Promise<Backend> {
  const server = await startServer();
  const [kv, queue] = [await openKv(server.url), await openQueue(server.url)];
  const bare = new Redis(server.url);
  const scripts = scriptsOf(bare);
  const [publish, consume, ack] = [scripts(PUBLISH), scripts(CONSUME), scripts(ACK)];
  // Names as long as the driver's, so that the same bytes are sent.
  const kvPrefix = `isomorph:kv:{${BARE_PLAN}}:`;
  const topicPrefix = `isomorph:queue:{${BARE_PLAN}}:${TOPIC}`;
  const keys = TOPIC_PARTS.map((part) => `${topicPrefix}:${part}`);
  const [dedupe, dead] = [`${topicPrefix}:dedupe:`, `${topicPrefix}.dead:stream`];
  const body = Buffer.from(VALUE);
  return {
    contests: [
      {
        name: 'redis_kv',
        opsPerStep: 2,
        // So many that a collection of garbage, which slows eight steps at once, is not the whole of the last hundredth.
        steps: 20_000,
        async ours(index) {
          const key = `key ${index % 1_000}`;
          await kv.put({ planId: PLAN, key, value: VALUE });
          await kv.get({ planId: PLAN, key });
        },
        async bare(index) {
          const key = `${kvPrefix}key ${index % 1_000}`;
          await bare.set(key, body);
          await bare.getBuffer(key);
        },
      },
      {
        name: 'redis_queue',
        opsPerStep: 3,
        steps: 8_000,
        async ours() {
          await queue.publish({ planId: PLAN, topic: TOPIC, body: VALUE });
          const [message] = await queue.consume({ planId: PLAN, topic: TOPIC, visibilityTimeoutS: VISIBILITY_S });
          await queue.ack({ planId: PLAN, topic: TOPIC, receiptHandle: message?.receiptHandle ?? '' });
        },
        async bare() {
          await publish(...keys, dedupe, randomUUID(), body, 0, '');
          const answer = await consume(...keys, dead, 1, VISIBILITY_S * 1_000, 20);
          const [, [[entry = '', generation = 0] = []] = []] = answer as [unknown, [string, number][]];
          await ack(...keys, entry, generation);
        },
      },
    ],
    async stop() {
      await Promise.all([kv.close(), queue.close(), bare.quit()]);
      await server.stop();
    },
  };
}
