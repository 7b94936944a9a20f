import {
  CreateQueueCommand,
  ListQueuesCommand,
  ListQueueTagsCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import * as assert from 'uvu/assert';
import { decodeEnvelope, encodeEnvelope } from '../../shared/scratch/queue/drivers/sqs/envelope.ts';
import { parseSqsUrl } from '../../shared/scratch/queue/drivers/sqs/location.ts';
import { planQueuePrefix, queueName } from '../../shared/scratch/queue/drivers/sqs/names.ts';
import { openQueue } from '../../shared/scratch/queue/open.ts';
import type { Queue } from '../../shared/scratch/queue/queue.ts';
import { startSqsServer } from '../harness/servers/index.ts';
import { suite } from '../harness/suite.ts';
import { freshPlanId, refused, text } from './conformance.ts';
import { assertEmpty, assertStats, next, publish, TOPIC, take } from './queue-steps.ts';
import { ALWAYS, onServer } from './suite-server.ts';

const pure = suite('sqs names and envelopes');

pure('names keep the rules of AWS and differ for every plan and topic, however long', () => {
  const long = 'x'.repeat(63);
  const pairs = [
    ...[
      ['a', 'b-c'],
      ['a-b', 'c'],
      ['a', 'b.dead'],
      ['a', 'b_dead'],
      ['a', 'b-dead'],
      ['_', '-'],
    ],
    ...[
      [long, long],
      [long, `${long}.dead`],
      [`${long.slice(1)}y`, long],
      [long, `${long.slice(1)}y`],
    ],
  ] as [string, string][];
  const names = pairs.map(([plan, topic]) => queueName('p'.repeat(20), plan, topic));
  for (const name of names) assert.match(name, /^[A-Za-z0-9_-]{1,75}\.fifo$/);
  assert.is(new Set(names).size, names.length);
  assert.ok(names[0]?.startsWith(planQueuePrefix('p'.repeat(20), 'a')));
  assert.not.ok(names[1]?.startsWith(planQueuePrefix('p'.repeat(20), 'a')));
});

pure('an envelope is ASCII and comes back as it was; the largest fits a message of SQS', () => {
  const body = new Uint8Array(190 * 1024).fill(255);
  const envelope = { id: 'i', body, delayMs: 5, deadReason: `\u0000\ufffe\ud800ключ${'🔑'.repeat(500)}` };
  const written = encodeEnvelope(envelope);
  assert.match(written, /^[\x20-\x7e]*$/);
  assert.ok(written.length < 262_144);
  const read = decodeEnvelope(written, 'm');
  assert.equal({ ...read, body: null }, { ...envelope, deadReason: envelope.deadReason.slice(0, 256), body: null });
  assert.is(Buffer.compare(read.body, body), 0);
  for (const foreign of ['', 'hello', '{"id":', '{"id":1}']) {
    assert.equal(text(decodeEnvelope(foreign, 'm').body), foreign);
    assert.is(decodeEnvelope(foreign, 'm').id, 'm');
  }
});

pure('a URL that cannot be meant is refused', async () => {
  assert.equal(parseSqsUrl(new URL('sqs://eu-central-1')), {
    ...{ region: 'eu-central-1', endpoint: undefined, prefix: 'isomorph', dedupes: true },
  });
  for (const url of [
    'sqs:',
    'sqs://r?x=1',
    'sqs://u:p@r',
    'sqs://r?endpoint=x',
    'sqs://r?prefix=a.b',
    'sqs://r?dedupe=1',
  ]) {
    await refused((async () => parseSqsUrl(new URL(url)))(), 'ERR_CONFIG', url);
  }
});

pure.run();

const test = suite('sqs driver');
const server = onServer(ALWAYS, startSqsServer);

let queue: Queue;
let other: Queue;
let sqs: SQSClient;
test.before(async () => {
  await server.start();
  const url = `sqs://us-east-1?endpoint=${server.url()}&prefix=t`;
  [queue, other] = await Promise.all([openQueue(url, { maxDeliveries: 2 }), openQueue(url, { maxDeliveries: 2 })]);
  sqs = new SQSClient({ region: 'us-east-1', endpoint: server.url() });
});
test.after(async () => {
  sqs.destroy();
  await Promise.all([queue.close(), other.close()]);
  await server.stop();
});

test('the same key stores one message, from any client, also at once, and after its message is gone', async () => {
  const planId = freshPlanId();
  const twelve = Array.from({ length: 12 }, (_, index) => (index % 2 === 0 ? queue : other));
  const ids = await Promise.all(twelve.map((one) => publish(one, planId, 'x', { idempotencyKey: 'ключ' })));
  assert.is(new Set(ids).size, 1);
  const message = await next(queue, planId);
  assert.is(message.id, ids[0]);
  await queue.ack({ planId, topic: TOPIC, receiptHandle: message.receiptHandle });
  assert.is(await publish(other, planId, 'x', { idempotencyKey: 'ключ' }), ids[0]);
  await assertEmpty(queue, planId);
});

test('a queue has the tags of its plan and topic, and purging the plan removes it', async () => {
  const planId = freshPlanId();
  await publish(queue, planId, 'x');
  const prefix = planQueuePrefix('t', planId);
  const { QueueUrls = [] } = await sqs.send(new ListQueuesCommand({ QueueNamePrefix: prefix }));
  assert.is(QueueUrls.length, 1);
  const { Tags } = await sqs.send(new ListQueueTagsCommand({ QueueUrl: QueueUrls[0] }));
  assert.equal(Tags, { 'isomorph:plan': planId, 'isomorph:topic': TOPIC });
  await other.purgePlan({ planId });
  const left = await sqs.send(new ListQueuesCommand({ QueueNamePrefix: prefix }));
  assert.equal(left.QueueUrls ?? [], []);
  await assertEmpty(queue, planId);
  await publish(queue, planId, 'after the purge of another client');
  assert.is(text((await next(queue, planId)).body), 'after the purge of another client');
});

test('a message that is not due counts as ready, then as in flight: SQS knows no better', async () => {
  const planId = freshPlanId();
  await publish(queue, planId, 'later', { delayS: 60 });
  await publish(queue, planId, 'now');
  await assertStats(queue, planId, { ready: 2 });
  assert.is(text((await next(queue, planId)).body), 'now');
  await assertEmpty(queue, planId);
  await assertStats(queue, planId, { inFlight: 2 });
});

test('a nack at the last delivery from another process leaves the message to be given up as expired', async () => {
  const planId = freshPlanId();
  await publish(queue, planId, 'x');
  for (const one of [queue, other]) {
    const { receiptHandle } = await next(queue, planId);
    await one.nack({ planId, topic: TOPIC, receiptHandle, reason: 'bad' });
  }
  await assertEmpty(queue, planId);
  assert.is((await next(queue, planId, { topic: `${TOPIC}.dead` })).deadReason, 'expired');
});

test('what somebody sends by other means is a message with the text as its body', async () => {
  const planId = freshPlanId();
  const command = new CreateQueueCommand({
    QueueName: queueName('t', planId, TOPIC),
    Attributes: { FifoQueue: 'true' },
  });
  const { QueueUrl } = await sqs.send(command);
  const by = { MessageGroupId: 'g', MessageDeduplicationId: 'd' };
  const { MessageId } = await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'by hand', ...by }));
  const message = await next(queue, planId);
  assert.equal([text(message.body), message.id], ['by hand', MessageId]);
  await queue.ack({ planId, topic: TOPIC, receiptHandle: message.receiptHandle });
});

test('a hundred messages come in one call', async () => {
  const planId = freshPlanId();
  await Promise.all(Array.from({ length: 100 }, (_, index) => publish(queue, planId, `${index}`)));
  const messages = await take(queue, planId, 100, { maxMessages: 100 });
  assert.is(new Set(messages.map(({ body }) => text(body))).size, 100);
  await Promise.all(messages.map(({ receiptHandle }) => queue.ack({ planId, topic: TOPIC, receiptHandle })));
  await assertStats(queue, planId, {});
});

test('a server that is not there is ERR_UNAVAILABLE', async () => {
  const gone = await openQueue('sqs://us-east-1?endpoint=http://127.0.0.1:9', { retry: { attempts: 1 } });
  await refused(publish(gone, freshPlanId(), 'x'), 'ERR_UNAVAILABLE');
  await gone.close();
});

test.run();
