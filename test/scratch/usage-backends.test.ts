/** The limits of a plan on every backend that this machine can serve: the same refusal, and another plan goes on. */
import * as assert from 'uvu/assert';
import { openKv } from '../../shared/scratch/kv/open.ts';
import type { ScratchLimits } from '../../shared/scratch/limits.ts';
import { openQueue } from '../../shared/scratch/queue/open.ts';
import { modalServer } from '../harness/modal/under-test.ts';
import { type Available, available, startRedis, startSqsServer } from '../harness/servers/index.ts';
import { suite } from '../harness/suite.ts';
import { refusal } from '../world/samples.ts';
import { freshPlanId } from './conformance.ts';
import { NatsForTests } from './nats-server.ts';
import { ALWAYS, onServer } from './suite-server.ts';

// The SDK wants some.
process.env.AWS_ACCESS_KEY_ID ??= 'test';
process.env.AWS_SECRET_ACCESS_KEY ??= 'test';

interface Backend {
  readonly name: string;
  readonly primitives: readonly ('kv' | 'queue')[];
  readonly server: { readonly available?: Available; start(): Promise<void>; stop(): Promise<void> };
  url(): string;
}

const BOTH = ['kv', 'queue'] as const;
const nothing = { start: async () => undefined, stop: async () => undefined };
const nats = new NatsForTests();
const redis = onServer(await available('redis-server'), () => startRedis());
const sqs = onServer(ALWAYS, startSqsServer);

const BACKENDS: readonly Backend[] = [
  { name: 'memory', primitives: BOTH, server: nothing, url: () => 'memory:' },
  { name: 'nats', primitives: BOTH, server: nats, url: () => nats.url },
  { name: 'redis', primitives: BOTH, server: redis, url: () => redis.url() },
  { name: 'sqs', primitives: ['queue'], server: sqs, url: () => `sqs://us-east-1?endpoint=${sqs.url()}` },
  { name: 'modal', primitives: BOTH, server: modalServer().server, url: () => 'modal:' },
];

const limits: ScratchLimits = { kvKeys: 3, kvBytes: 1_000, queueMessages: 3, queueBytes: 1_000, queueTopics: 2 };
const limit = { limits, tell: () => undefined };
const value = new Uint8Array(10);
const body = value;

for (const { name, primitives, server, url } of BACKENDS) {
  const test = suite(`limits of a plan on ${name}`);
  if (server.available !== undefined) test.skipUnless(server.available.ok, `no ${name} here`);
  test.before(() => server.start());
  test.after(() => server.stop());

  if (primitives.includes('kv')) {
    test('keys and bytes', async () => {
      const kv = await openKv(url(), { limit, timeoutMs: 60_000 });
      const planId = freshPlanId();
      for (const key of ['a', 'b', 'c']) await kv.put({ planId, key, value });
      await refusal(kv.put({ planId, key: 'd', value }), 'ERR_LIMIT');
      assert.is(await kv.get({ planId, key: 'd' }), undefined);
      await refusal(kv.put({ planId, key: 'a', value: new Uint8Array(990) }), 'ERR_LIMIT');
      await kv.put({ planId: freshPlanId(), key: 'd', value });
      await kv.delete({ planId, key: 'a' });
      await kv.put({ planId, key: 'd', value });
      await kv.close();
    });
  }

  test('messages, also of a process that has just started, and topics', async () => {
    const planId = freshPlanId();
    const [queue, other] = [
      await openQueue(url(), { limit, timeoutMs: 60_000 }),
      await openQueue(url(), { limit, timeoutMs: 60_000 }),
    ];
    for (let index = 0; index < 3; index++) await queue.publish({ planId, topic: 'work', body });
    await refusal(queue.publish({ planId, topic: 'work', body }), 'ERR_LIMIT');
    // A queue in memory without a name is the client's own.
    if (name !== 'memory') await refusal(other.publish({ planId, topic: 'work', body }), 'ERR_LIMIT');
    await queue.publish({ planId: freshPlanId(), topic: 'work', body });
    const [first] = await queue.consume({ planId, topic: 'work', waitS: 5 });
    await queue.ack({ planId, topic: 'work', receiptHandle: first?.receiptHandle ?? '' });
    await queue.publish({ planId, topic: 'more', body });
    await refusal(queue.publish({ planId, topic: 'third', body }), 'ERR_LIMIT');
    await queue.purgePlan({ planId });
    await queue.close();
    await other.close();
  });

  test.run();
}
