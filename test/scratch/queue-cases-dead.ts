import * as assert from 'uvu/assert';
import { text } from './conformance.ts';
import { MAX_DELIVERIES, type QueueCase } from './queue-case.ts';
import { assertEmpty, assertStats, next, publish, SHORT_S, TOPIC } from './queue-steps.ts';

const DEAD = { topic: `${TOPIC}.dead` };

export const queueDeadCases: readonly QueueCase[] = [
  {
    title: 'a message that was nacked at its last delivery moves to the dead letters with the reason',
    async run({ client, open }, planId) {
      const id = await publish(client, planId, 'poison');
      for (let delivery = 1; delivery <= MAX_DELIVERIES; delivery++) {
        const message = await next(client, planId);
        assert.is(message.deliveries, delivery);
        const { receiptHandle } = message;
        await client.nack({ planId, topic: TOPIC, receiptHandle, reason: `no. ${delivery}: ключ` });
      }
      await assertEmpty(client, planId);
      await assertStats(client, planId, { dead: 1 });
      const dead = await next(await open(), planId, DEAD);
      assert.equal([dead.id, text(dead.body), dead.deliveries], [id, 'poison', 1]);
      assert.is(dead.deadReason, `no. ${MAX_DELIVERIES}: ключ`);
      await client.ack({ planId, ...DEAD, receiptHandle: dead.receiptHandle });
      await assertStats(client, planId, {});
    },
  },
  {
    title: 'a message whose last delivery expired moves to the dead letters as expired',
    async run({ client }, planId) {
      const id = await publish(client, planId, 'crasher');
      for (let delivery = 1; delivery <= MAX_DELIVERIES; delivery++) {
        assert.is((await next(client, planId, { visibilityTimeoutS: SHORT_S })).deliveries, delivery);
      }
      // It moves when somebody consumes after its last lease has ended.
      while ((await client.stats({ planId, topic: TOPIC })).dead === 0) {
        assert.equal(await client.consume({ planId, topic: TOPIC, waitS: SHORT_S }), []);
      }
      const dead = await next(client, planId, DEAD);
      assert.equal([dead.id, text(dead.body), dead.deadReason], [id, 'crasher', 'expired']);
    },
  },
  {
    title: 'dead letters are delivered without limit, keeping id and reason',
    async run({ client }, planId) {
      const id = await publish(client, planId, 'x');
      for (let delivery = 1; delivery <= MAX_DELIVERIES; delivery++) {
        const { receiptHandle } = await next(client, planId);
        await client.nack({ planId, topic: TOPIC, receiptHandle, reason: 'bad' });
      }
      for (let delivery = 1; delivery <= MAX_DELIVERIES + 2; delivery++) {
        const dead = await next(client, planId, DEAD);
        assert.equal([dead.id, dead.deliveries, dead.deadReason], [id, delivery, 'bad']);
        await client.nack({ planId, ...DEAD, receiptHandle: dead.receiptHandle, reason: 'other' });
      }
      assert.is((await client.stats({ planId, topic: TOPIC })).dead, 1);
    },
  },
  {
    title: 'a message that is acked at its last delivery is no dead letter',
    async run({ client }, planId) {
      await publish(client, planId, 'x');
      for (let delivery = 1; delivery < MAX_DELIVERIES; delivery++) {
        const { receiptHandle } = await next(client, planId);
        await client.nack({ planId, topic: TOPIC, receiptHandle });
      }
      const { receiptHandle } = await next(client, planId);
      await client.ack({ planId, topic: TOPIC, receiptHandle });
      await assertStats(client, planId, {});
      await assertEmpty(client, planId, DEAD.topic);
    },
  },
  {
    title: 'purging a plan removes its dead letters',
    async run({ client }, planId) {
      await publish(client, planId, 'x');
      for (let delivery = 1; delivery <= MAX_DELIVERIES; delivery++) {
        const { receiptHandle } = await next(client, planId);
        await client.nack({ planId, topic: TOPIC, receiptHandle });
      }
      await assertStats(client, planId, { dead: 1 });
      await client.purgePlan({ planId });
      await assertStats(client, planId, {});
      await assertEmpty(client, planId, DEAD.topic);
    },
  },
];
