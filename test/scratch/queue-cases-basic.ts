import pLimit from 'p-limit';
import * as assert from 'uvu/assert';
import { bytes, freshPlanId, refused, text } from './conformance.ts';
import type { QueueCase } from './queue-case.ts';
import { AMPLE_S, assertEmpty, assertStats, assertTotal, next, publish, TOPIC, take } from './queue-steps.ts';

export const queueBasicCases: readonly QueueCase[] = [
  {
    title: 'a topic that was never used is empty, at once',
    async run({ client }, planId) {
      await assertEmpty(client, planId);
      await assertStats(client, planId, {});
    },
  },
  {
    title: 'a message comes byte for byte, with the id that publish gave',
    async run({ client }, planId) {
      const bodies = [new Uint8Array(), bytes('text'), Uint8Array.from({ length: 256 }, (_, index) => index)];
      for (const body of bodies) {
        const id = await client.publish({ planId, topic: TOPIC, body });
        const message = await next(client, planId);
        assert.is(message.id, id);
        assert.equal([...message.body], [...body]);
        assert.is(message.deliveries, 1);
        assert.is(message.deadReason, undefined);
        await client.ack({ planId, topic: TOPIC, receiptHandle: message.receiptHandle });
      }
      await assertEmpty(client, planId);
    },
  },
  {
    title: 'every message is delivered once while leases last, also to several clients',
    async run({ client, open, takesInTurn = false }, planId) {
      const sent = Array.from({ length: 60 }, (_, index) => `m${index}`);
      await Promise.all(sent.map((body) => publish(client, planId, body)));
      const clients = [client, await open(), await open()];
      const atOnce = pLimit(takesInTurn ? 1 : clients.length);
      const taken = (await Promise.all(clients.map((one) => atOnce(() => take(one, planId, 20))))).flat();
      assert.equal(taken.map(({ body }) => text(body)).sort(), [...sent].sort());
      assert.is(new Set(taken.map(({ id }) => id)).size, 60);
      await assertEmpty(client, planId);
    },
  },
  {
    title: 'consume gives at most what it is asked for',
    async run({ client }, planId) {
      for (let index = 0; index < 5; index++) await publish(client, planId, `m${index}`);
      assert.is((await client.consume({ planId, topic: TOPIC, waitS: 5 })).length, 1);
      const two = await client.consume({ planId, topic: TOPIC, maxMessages: 2, waitS: 5 });
      assert.ok(two.length >= 1 && two.length <= 2);
      await take(client, planId, 4 - two.length, { maxMessages: 100 });
      await assertEmpty(client, planId);
    },
  },
  {
    title: 'consume with waitS hears a message that is published later',
    async run({ client, open }, planId) {
      const other = await open();
      const waiting = next(client, planId);
      await publish(other, planId, 'late');
      assert.is(text((await waiting).body), 'late');
    },
  },
  {
    title: 'consume with waitS comes back empty when nothing is there',
    async run({ client }, planId) {
      const startMs = Date.now();
      assert.equal(await client.consume({ planId, topic: TOPIC, waitS: 0.5 }), []);
      assert.ok(Date.now() - startMs >= 490, 'it did not wait');
    },
  },
  {
    title: 'an acked message is gone for good',
    needs: { offered: ({ redeliverAfterAck }) => !redeliverAfterAck },
    async run({ client, open }, planId) {
      await publish(client, planId, 'once');
      const { receiptHandle } = await next(client, planId, { visibilityTimeoutS: AMPLE_S });
      await client.ack({ planId, topic: TOPIC, receiptHandle });
      await assertStats(client, planId, {});
      const other = await open();
      assert.equal(await other.consume({ planId, topic: TOPIC, waitS: AMPLE_S + 1 }), []);
    },
  },
  {
    title: 'the largest body passes, one byte more is refused',
    async run({ client }, planId, { maxBodyBytes }) {
      const body = new Uint8Array(maxBodyBytes).fill(9);
      await client.publish({ planId, topic: TOPIC, body });
      assert.is(Buffer.compare((await next(client, planId)).body, body), 0);
      const larger = new Uint8Array(maxBodyBytes + 1);
      await refused(client.publish({ planId, topic: TOPIC, body: larger }), 'ERR_TOO_LARGE');
    },
  },
  {
    title: 'what is no topic, number or plan id is refused with its place',
    async run({ client }, planId) {
      const body = bytes('x');
      for (const topic of ['', 'A', 'a.b', 'a.dead', '*', '>', 'x'.repeat(64), '-a', 'ä']) {
        const error = await refused(client.publish({ planId, topic, body }), 'ERR_SCHEMA', topic);
        assert.is(error.place.pointer, '/topic');
      }
      await refused(client.consume({ planId, topic: 'a.dead.dead' }), 'ERR_SCHEMA');
      for (const maxMessages of [0, 101, 1.5]) {
        await refused(client.consume({ planId, topic: TOPIC, maxMessages }), 'ERR_SCHEMA');
      }
      for (const bad of [-1, Number.NaN, Infinity]) {
        await refused(client.consume({ planId, topic: TOPIC, waitS: bad }), 'ERR_SCHEMA');
        await refused(client.publish({ planId, topic: TOPIC, body, delayS: bad }), 'ERR_SCHEMA');
      }
      await refused(client.publish({ planId: 'A', topic: TOPIC, body }), 'ERR_PLAN_ID');
      const noBytes = 'x' as unknown as Uint8Array;
      await refused(client.publish({ planId, topic: TOPIC, body: noBytes }), 'ERR_SCHEMA');
    },
  },
  {
    title: 'plans and topics never see each other’s messages',
    async run({ client }, planId) {
      const other = freshPlanId();
      await publish(client, planId, 'mine');
      await assertEmpty(client, other);
      await assertEmpty(client, planId, 'other-topic');
      assert.is(text((await next(client, planId)).body), 'mine');
    },
  },
  {
    title: 'purging a plan removes all its messages and nobody else’s',
    async run({ client, open }, planId) {
      const other = `${planId}-x`;
      await publish(client, planId, 'ready');
      await publish(client, planId, 'in flight');
      await next(client, planId);
      await client.publish({ planId, topic: 'second', body: bytes('x') });
      await publish(client, other, 'stays');
      await client.purgePlan({ planId });
      await assertEmpty(client, planId);
      await assertEmpty(client, planId, 'second');
      await assertStats(client, planId, {});
      assert.is(text((await next(await open(), other)).body), 'stays');
      await publish(client, planId, 'again');
      assert.is(text((await next(client, planId)).body), 'again');
      await client.purgePlan({ planId });
      await client.purgePlan({ planId });
    },
  },
  {
    title: 'stats tell what is ready, in flight, delayed and dead',
    needs: { offered: ({ exactStats }) => exactStats },
    async run({ client }, planId, { maxDelayS }) {
      for (let index = 0; index < 3; index++) await publish(client, planId, `m${index}`);
      const delayed = maxDelayS >= 60 ? 1 : 0;
      if (delayed === 1) await publish(client, planId, 'later', { delayS: 60 });
      await assertStats(client, planId, { ready: 3, delayed });
      const { receiptHandle } = await next(client, planId);
      await assertStats(client, planId, { ready: 2, inFlight: 1, delayed });
      await client.ack({ planId, topic: TOPIC, receiptHandle });
      await assertStats(client, planId, { ready: 2, delayed });
    },
    async instead({ client }, planId) {
      for (let index = 0; index < 3; index++) await publish(client, planId, `m${index}`);
      await assertTotal(client, planId, 3);
      const { receiptHandle } = await next(client, planId);
      await assertTotal(client, planId, 3);
      await client.ack({ planId, topic: TOPIC, receiptHandle });
      await assertTotal(client, planId, 2);
    },
  },
  {
    title: 'what was acknowledged is there after a restart of the backend',
    alone: true,
    needs: { offered: ({ durable }) => durable },
    async run({ client, open, restart }, planId) {
      await publish(client, planId, 'kept');
      await restart?.();
      assert.is(text((await next(await open(), planId)).body), 'kept');
    },
  },
  {
    title: 'a closed client refuses; what it had published is there',
    async run({ client, open }, planId) {
      const other = await open();
      await publish(other, planId, 'x');
      await other.close();
      await other.close();
      await refused(publish(other, planId, 'y'), 'ERR_UNAVAILABLE');
      assert.is(text((await next(client, planId)).body), 'x');
    },
  },
];
