import * as assert from 'uvu/assert';
import { freshPlanId, refused, text } from './conformance.ts';
import type { QueueCase } from './queue-case.ts';
import { assertEmpty, assertStats, LONG_S, next, publish, SHORT_S, TOPIC } from './queue-steps.ts';

const SHORT = { visibilityTimeoutS: SHORT_S };

export const queueReceiptCases: readonly QueueCase[] = [
  {
    title: 'a message that is not acked comes again, with the same id and one more delivery',
    async run({ client }, planId) {
      const id = await publish(client, planId, 'x');
      const startMs = Date.now();
      const first = await next(client, planId, SHORT);
      const second = await next(client, planId);
      assert.ok(Date.now() - startMs >= SHORT_S * 1_000 - 50, 'it came again too early');
      assert.equal([first.id, second.id, first.deliveries, second.deliveries], [id, id, 1, 2]);
      assert.is.not(first.receiptHandle, second.receiptHandle);
      assert.is(text(second.body), 'x');
    },
  },
  {
    title: 'each call chooses its own visibility timeout',
    needs: {
      offered: ({ visibility }) => visibility === 'per-call',
      ask: (client, planId) => client.consume({ planId, topic: TOPIC, visibilityTimeoutS: 5 }),
    },
    async run({ client }, planId) {
      await publish(client, planId, 'a');
      await publish(client, planId, 'b');
      const long = await next(client, planId, { visibilityTimeoutS: LONG_S });
      const short = await next(client, planId, SHORT);
      const again = await next(client, planId);
      assert.is(again.id, short.id);
      await client.ack({ planId, topic: TOPIC, receiptHandle: long.receiptHandle });
    },
  },
  {
    title: 'a receipt of a delivery that has expired is refused and acks nobody else’s',
    async run({ client, open }, planId) {
      await publish(client, planId, 'x');
      const stale = await next(client, planId, SHORT);
      const other = await open();
      const current = await next(other, planId);
      const { receiptHandle } = stale;
      await refused(client.ack({ planId, topic: TOPIC, receiptHandle }), 'ERR_RECEIPT', 'stale ack');
      await refused(client.nack({ planId, topic: TOPIC, receiptHandle }), 'ERR_RECEIPT', 'stale nack');
      await assertEmpty(client, planId);
      await assertStats(client, planId, { inFlight: 1 });
      await other.ack({ planId, topic: TOPIC, receiptHandle: current.receiptHandle });
      await assertStats(client, planId, {});
    },
  },
  {
    title: 'a receipt can be used once',
    async run({ client }, planId) {
      await publish(client, planId, 'x');
      const { receiptHandle } = await next(client, planId);
      await client.ack({ planId, topic: TOPIC, receiptHandle });
      await refused(client.ack({ planId, topic: TOPIC, receiptHandle }), 'ERR_RECEIPT', 'second ack');
      await refused(client.nack({ planId, topic: TOPIC, receiptHandle }), 'ERR_RECEIPT', 'nack after ack');
      await publish(client, planId, 'y');
      const nacked = await next(client, planId);
      await client.nack({ planId, topic: TOPIC, receiptHandle: nacked.receiptHandle });
      await refused(client.ack({ planId, topic: TOPIC, receiptHandle: nacked.receiptHandle }), 'ERR_RECEIPT', 'ack');
      const again = await next(client, planId);
      assert.is(again.id, nacked.id);
      await refused(client.ack({ planId, topic: TOPIC, receiptHandle: nacked.receiptHandle }), 'ERR_RECEIPT', 'later');
      await client.ack({ planId, topic: TOPIC, receiptHandle: again.receiptHandle });
    },
  },
  {
    title: 'a receipt that another client used is refused',
    needs: { offered: ({ refusesUsedReceipts }) => refusesUsedReceipts },
    async run({ client, open }, planId) {
      const other = await open();
      await publish(client, planId, 'x');
      const acked = await next(client, planId);
      await client.ack({ planId, topic: TOPIC, receiptHandle: acked.receiptHandle });
      for (const use of [other.ack, other.nack]) {
        const again = use.call(other, { planId, topic: TOPIC, receiptHandle: acked.receiptHandle });
        await refused(again, 'ERR_RECEIPT', 'after an ack');
      }
      await publish(client, planId, 'y');
      const nacked = await next(client, planId);
      await client.nack({ planId, topic: TOPIC, receiptHandle: nacked.receiptHandle });
      const again = other.ack({ planId, topic: TOPIC, receiptHandle: nacked.receiptHandle });
      await refused(again, 'ERR_RECEIPT', 'after a nack');
      assert.is((await next(other, planId)).id, nacked.id);
    },
  },
  {
    title: 'another client can use a receipt',
    async run({ client, open }, planId) {
      await publish(client, planId, 'x');
      const { receiptHandle } = await next(client, planId);
      await (await open()).ack({ planId, topic: TOPIC, receiptHandle });
      await assertStats(client, planId, {});
    },
  },
  {
    title: 'a receipt of another plan or topic is refused and touches nothing',
    async run({ client }, planId) {
      const other = freshPlanId();
      await publish(client, planId, 'x');
      await publish(client, other, 'y');
      const mine = await next(client, planId);
      const { receiptHandle } = mine;
      await next(client, other);
      await refused(client.ack({ planId: other, topic: TOPIC, receiptHandle }), 'ERR_RECEIPT', 'other plan');
      await refused(client.nack({ planId: other, topic: TOPIC, receiptHandle }), 'ERR_RECEIPT', 'other plan');
      await refused(client.ack({ planId, topic: 'other', receiptHandle }), 'ERR_RECEIPT', 'other topic');
      await refused(client.ack({ planId, topic: `${TOPIC}.dead`, receiptHandle }), 'ERR_RECEIPT', 'dead letters');
      await assertStats(client, planId, { inFlight: 1 });
      await assertStats(client, other, { inFlight: 1 });
      await client.ack({ planId, topic: TOPIC, receiptHandle });
    },
  },
  {
    title: 'what no driver made is refused as a receipt',
    async run({ client }, planId) {
      for (const receiptHandle of ['', 'x', '1.2', 'a b', '\u0000', '$JS.ACK.x', '{}', '🔑', 'x'.repeat(5_000)]) {
        await refused(client.ack({ planId, topic: TOPIC, receiptHandle }), 'ERR_RECEIPT', receiptHandle.slice(0, 20));
        await refused(client.nack({ planId, topic: TOPIC, receiptHandle }), 'ERR_RECEIPT', receiptHandle.slice(0, 20));
      }
    },
  },
  {
    title: 'a receipt stays good until the message is purged or delivered again',
    async run({ client }, planId) {
      await publish(client, planId, 'x');
      const { receiptHandle } = await next(client, planId);
      await client.purgePlan({ planId });
      await refused(client.nack({ planId, topic: TOPIC, receiptHandle }), 'ERR_RECEIPT', 'nack after purge');
      await assertEmpty(client, planId);
    },
  },
];
