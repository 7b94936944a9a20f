/** What one plan may hold in scratch, on backends that count and on those that do not; another plan goes on beside it. */
import * as assert from 'uvu/assert';
import type { LimitNotice } from '../../shared/async/limit-notice.ts';
import { openKv } from '../../shared/scratch/kv/open.ts';
import type { ScratchLimits } from '../../shared/scratch/limits.ts';
import { openQueue } from '../../shared/scratch/queue/open.ts';
import { suite } from '../harness/suite.ts';
import { refusal } from '../world/samples.ts';

const LIMITS: ScratchLimits = { kvKeys: 5, kvBytes: 100, queueMessages: 4, queueBytes: 100, queueTopics: 3 };

const test = suite('scratch of a plan');

const planId = 'greedy';
const bytes = (size: number): Uint8Array => new Uint8Array(size);

function limitOf() {
  const notices: LimitNotice[] = [];
  return { notices, limit: { limits: LIMITS, tell: (notice: LimitNotice) => void notices.push(notice) } };
}

test('keys of a plan are counted: one too many is refused, and what goes makes room', async () => {
  const { limit, notices } = limitOf();
  const kv = await openKv('memory:', { limit });
  for (const key of ['a', 'b', 'c', 'd']) await kv.put({ planId, key, value: bytes(1) });
  await kv.incr({ planId, key: 'e' });
  await refusal(kv.put({ planId, key: 'f', value: bytes(1) }), 'ERR_LIMIT');
  await refusal(kv.incr({ planId, key: 'f' }), 'ERR_LIMIT');
  assert.is(await kv.get({ planId, key: 'f' }), undefined);
  assert.equal(notices.at(-1), { limit: 'keys', of: planId, used: 6, most: 5 });
  await kv.put({ planId: 'harmless', key: 'f', value: bytes(1) });
  await kv.put({ planId, key: 'a', value: bytes(2) });
  assert.is(await kv.incr({ planId, key: 'e' }), 2);
  await kv.delete({ planId, key: 'a' });
  await kv.put({ planId, key: 'f', value: bytes(1) });
  await kv.purgePlan({ planId });
  for (const key of ['1', '2', '3', '4', '5']) await kv.put({ planId, key, value: bytes(1) });
  await kv.close();
});

test('bytes of a plan are those of the values that are there', async () => {
  const kv = await openKv('memory:', { limit: limitOf().limit });
  await kv.put({ planId, key: 'a', value: bytes(80) });
  await kv.put({ planId, key: 'a', value: bytes(90) });
  await refusal(kv.put({ planId, key: 'b', value: bytes(20) }), 'ERR_LIMIT');
  assert.is((await kv.get({ planId, key: 'a' }))?.byteLength, 90);
  await kv.put({ planId, key: 'a', value: bytes(1) });
  await kv.put({ planId, key: 'b', value: bytes(20) });
  await kv.close();
});

test('keys whose time to live has passed are not counted', async () => {
  const kv = await openKv('memory:', { limit: limitOf().limit });
  for (const key of ['a', 'b', 'c', 'd', 'e']) await kv.put({ planId, key, value: bytes(1), ttlS: 0.01 });
  while ((await kv.get({ planId, key: 'e' })) !== undefined) await new Promise((resolve) => setImmediate(resolve));
  await kv.put({ planId, key: 'f', value: bytes(1) });
  await kv.close();
});

test('messages that nobody acked are counted, dead letters too, and what others acked is found out before a refusal', async () => {
  const { limit } = limitOf();
  const [queue, other] = [
    await openQueue('memory:usage', { limit, maxDeliveries: 1 }),
    await openQueue('memory:usage'),
  ];
  const publish = () => queue.publish({ planId, topic: 'work', body: bytes(1) });
  for (let index = 0; index < 4; index++) await publish();
  await refusal(publish(), 'ERR_LIMIT');
  await queue.publish({ planId: 'harmless', topic: 'work', body: bytes(1) });
  const [first, second] = await queue.consume({ planId, topic: 'work', maxMessages: 2 });
  await queue.nack({ planId, topic: 'work', receiptHandle: first?.receiptHandle ?? '' });
  await refusal(publish(), 'ERR_LIMIT');
  await queue.ack({ planId, topic: 'work', receiptHandle: second?.receiptHandle ?? '' });
  await publish();
  const third = await openQueue('memory:usage', { limit });
  await refusal(third.publish({ planId, topic: 'work', body: bytes(1) }), 'ERR_LIMIT');
  const [dead] = await other.consume({ planId, topic: 'work.dead' });
  await other.ack({ planId, topic: 'work.dead', receiptHandle: dead?.receiptHandle ?? '' });
  const fourth = await openQueue('memory:usage', { limit });
  await fourth.publish({ planId, topic: 'work', body: bytes(1) });
  for (const one of [queue, other, third, fourth]) await one.close();
});

test('bytes and topics of the queues of a plan are bounded', async () => {
  const queue = await openQueue('memory:', { limit: limitOf().limit });
  const [planA, planB] = ['bytes', 'topics'];
  await queue.publish({ planId: planA, topic: 'a', body: bytes(90) });
  await refusal(queue.publish({ planId: planA, topic: 'a', body: bytes(20) }), 'ERR_LIMIT');
  const [large] = await queue.consume({ planId: planA, topic: 'a' });
  await queue.ack({ planId: planA, topic: 'a', receiptHandle: large?.receiptHandle ?? '' });
  await queue.publish({ planId: planA, topic: 'a', body: bytes(20) });
  for (const topic of ['a', 'b', 'c']) await queue.publish({ planId: planB, topic, body: bytes(1) });
  await refusal(queue.publish({ planId: planB, topic: 'd', body: bytes(1) }), 'ERR_LIMIT');
  await queue.publish({ planId: planB, topic: 'a', body: bytes(1) });
  await queue.close();
});

test.run();
