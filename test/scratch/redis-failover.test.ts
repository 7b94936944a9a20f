import { Redis } from 'ioredis';
import * as assert from 'uvu/assert';
import { openKv } from '../../shared/scratch/kv/open.ts';
import { openQueue } from '../../shared/scratch/queue/open.ts';
import { available, type RunningServer, startRedis } from '../harness/servers/index.ts';
import { suite } from '../harness/suite.ts';
import { bytes, freshPlanId, refused, text } from './conformance.ts';
import { next, publish } from './queue-steps.ts';
import { Relay } from './relay.ts';

/** Two servers behind one name: what a managed Redis does when its master is replaced. The connections of clients last. */

const found = await available('redis-server');

const test = suite('redis fails over behind one name');
test.skipUnless(found.ok, found.ok ? '' : found.reason);

interface Pair {
  readonly old: RunningServer;
  readonly young: RunningServer;
  /** Commands to the server itself. */
  readonly admin: { readonly old: Redis; readonly young: Redis };
  /** What leads to the old one until it is told otherwise. */
  readonly relay: Relay;
  readonly url: string;
}

/** The young one is master from the start; the old one is what clients are connected to. */
async function withPair(oldArgs: readonly string[], use: (pair: Pair) => Promise<void>): Promise<void> {
  const [old, young, relay] = [await startRedis(oldArgs), await startRedis(), new Relay()];
  relay.targetPort = old.port;
  const admin = { old: new Redis(old.url), young: new Redis(young.url) };
  try {
    await use({ old, young, admin, relay, url: `redis://${await relay.listen()}` });
  } finally {
    for (const client of Object.values(admin)) client.disconnect();
    await relay.close();
    await Promise.all([old.stop(), young.stop()]);
  }
}

const once = { retry: { attempts: 1 } };

test('a master that became a replica (READONLY) refuses one write; the next goes to the new master', () =>
  withPair([], async ({ young, admin, relay, url }) => {
    const [kv, queue] = await Promise.all([openKv(url, once), openQueue(url, once)]);
    const planId = freshPlanId();
    await kv.put({ planId, key: 'k', value: bytes('before') });
    await publish(queue, planId, 'before');
    await admin.old.replicaof('127.0.0.1', young.port);
    relay.targetPort = young.port;
    await refused(kv.put({ planId, key: 'k', value: bytes('refused') }), 'ERR_UNAVAILABLE', 'kv');
    await refused(publish(queue, planId, 'refused'), 'ERR_UNAVAILABLE', 'queue');
    await kv.put({ planId, key: 'k', value: bytes('after') });
    assert.is(text((await kv.get({ planId, key: 'k' })) ?? bytes('')), 'after');
    await publish(queue, planId, 'after');
    assert.is(text((await next(queue, planId)).body), 'after');
    await Promise.all([kv.close(), queue.close()]);
  }));

test('a replica that lost its master (MASTERDOWN) refuses one call', () =>
  withPair(['--replica-serve-stale-data', 'no'], async ({ young, admin, relay, url }) => {
    const kv = await openKv(url, once);
    const planId = freshPlanId();
    await kv.put({ planId, key: 'k', value: bytes('before') });
    // Nobody listens there.
    await admin.old.replicaof('127.0.0.1', 9);
    relay.targetPort = young.port;
    await refused(kv.get({ planId, key: 'k' }), 'ERR_UNAVAILABLE', 'MASTERDOWN');
    assert.is(await kv.get({ planId, key: 'k' }), undefined, 'the other server answers');
    await kv.close();
  }));

/** So that loading the data of the test takes seconds, during which the server answers. */
const SLOW_TO_LOAD = ['--key-load-delay', '1000', '--loading-process-events-interval-bytes', '1024'];

test('a replica that takes over the data of its master (LOADING) refuses one call', () =>
  withPair(SLOW_TO_LOAD, async ({ young, admin, relay, url }) => {
    const kv = await openKv(url, once);
    const planId = freshPlanId();
    await kv.put({ planId, key: 'k', value: bytes('before') });
    const many = admin.young.pipeline();
    for (let index = 0; index < 10_000; index++) many.set(`key-${index}`, 'x');
    await many.exec();
    await admin.old.replicaof('127.0.0.1', young.port);
    while ((await answerOf(admin.old)) !== 'LOADING');
    relay.targetPort = young.port;
    await refused(kv.get({ planId, key: 'k' }), 'ERR_UNAVAILABLE', 'LOADING');
    assert.is(await kv.get({ planId, key: 'k' }), undefined, 'the other server answers');
    await kv.close();
  }));

/** The first word of what the server says to a read. */
const answerOf = (client: Redis): Promise<string> =>
  client.get('k').then(
    () => 'OK',
    (error: Error) => error.message.split(' ')[0] ?? '',
  );

test.run();
