import * as assert from 'uvu/assert';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { kvCapabilities } from '../../shared/scratch/kv/open.ts';
import { queueCapabilities } from '../../shared/scratch/queue/open.ts';
import type { Queue } from '../../shared/scratch/queue/queue.ts';
import { suite } from '../harness/suite.ts';
import { kvAt, queueAt } from './clients.ts';
import { freshPlanId } from './conformance.ts';
import { checkModel, checkModelOverRestarts, MODEL_LIMITS } from './model.ts';
import { kvModel } from './model-kv.ts';
import { queueModel } from './model-queue.ts';
import { NatsForTests } from './nats-server.ts';
import { publish, SHORT_S, TOPIC, take } from './queue-steps.ts';

const KILLS = 3;

const [kvHas, queueHas] = await Promise.all([kvCapabilities('nats:'), queueCapabilities('nats:')]);
const server = new NatsForTests();
const test = suite('nats: model', undefined, MODEL_LIMITS);

test.before(() => server.start());
test.after(() => server.stop());

const kv = kvModel(() => kvAt(server.url), kvHas);
const queue = queueModel(() => queueAt(server.url), queueHas);
test('KV is a map', () => checkModel(kv));
test('a queue is a set of messages', () => checkModel(queue));
test('KV is a map over kills of the server', () => checkModelOverRestarts(kv, () => server.restart()));

/** False: the delivery was over. */
async function acked(queue: Queue, receipt: Parameters<Queue['ack']>[0]): Promise<boolean> {
  try {
    await queue.ack(receipt);
    return true;
  } catch (error) {
    if (error instanceof IsomorphError && error.code === 'ERR_RECEIPT') return false;
    throw error;
  }
}

/** A kill may end leases early and forget how often a message was delivered: never what is there and what is acked. */
test('no kill of the server loses a message or brings an acked one back', async () => {
  const { open, dispose } = await queueAt(server.url);
  try {
    const planId = freshPlanId();
    const left = new Set<string>();
    const consumeAndAck = async (queue: Queue, count: number): Promise<void> => {
      for (const { id, receiptHandle } of await take(queue, planId, count, { visibilityTimeoutS: SHORT_S })) {
        assert.ok(left.has(id), `${id} came although it was acked`);
        // On a slow machine the delivery may be over before it is acked; the message then comes again.
        if (await acked(queue, { planId, topic: TOPIC, receiptHandle })) left.delete(id);
      }
    };
    for (let kill = 0; kill < KILLS; kill++) {
      const queue = await open();
      for (let index = 0; index < 20; index++) left.add(await publish(queue, planId, `${kill}.${index}`));
      await consumeAndAck(queue, 10);
      await server.restart();
    }
    const last = await open();
    while (left.size > 0) await consumeAndAck(last, 1);
    assert.equal(await last.consume({ planId, topic: TOPIC, waitS: 2 * SHORT_S }), []);
  } finally {
    await dispose();
  }
});

test.run();
