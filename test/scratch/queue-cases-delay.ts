import * as assert from 'uvu/assert';
import type { QueueCapabilities } from '../../shared/scratch/capabilities.ts';
import type { Queue } from '../../shared/scratch/queue/queue.ts';
import { bytes, type Needs, refused, text } from './conformance.ts';
import type { QueueCase } from './queue-case.ts';
import { assertEmpty, assertStats, next, publish, TOPIC, take } from './queue-steps.ts';

const canDelay: Needs<QueueCapabilities, Queue> = {
  offered: ({ maxDelayS }) => maxDelayS >= 1,
  ask: (client, planId) => publish(client, planId, 'x', { delayS: 1 }),
};

const remembersKeys: Needs<QueueCapabilities, Queue> = {
  offered: ({ dedupeS }) => dedupeS >= 300,
  ask: (client, planId) => publish(client, planId, 'x', { idempotencyKey: 'k' }),
};

export const queueDelayCases: readonly QueueCase[] = [
  {
    title: 'a nacked message is ready again at once, and counts its deliveries',
    async run({ client }, planId) {
      const id = await publish(client, planId, 'x');
      const { receiptHandle } = await next(client, planId);
      await client.nack({ planId, topic: TOPIC, receiptHandle, reason: 'not yet' });
      const again = await next(client, planId);
      assert.equal([again.id, again.deliveries, text(again.body)], [id, 2, 'x']);
      await client.ack({ planId, topic: TOPIC, receiptHandle: again.receiptHandle });
      await assertStats(client, planId, {});
    },
  },
  {
    title: 'a nacked message with a delay becomes ready only then',
    needs: { offered: ({ maxDelayS }) => maxDelayS >= 1 },
    async run({ client }, planId) {
      const id = await publish(client, planId, 'x');
      const { receiptHandle } = await next(client, planId);
      const startMs = Date.now();
      await client.nack({ planId, topic: TOPIC, receiptHandle, delayS: 1 });
      const again = await next(client, planId);
      assert.ok(Date.now() - startMs >= 950, 'it came early');
      assert.equal([again.id, again.deliveries], [id, 2]);
    },
  },
  {
    title: 'a message published with a delay becomes ready only then, as its first delivery',
    needs: canDelay,
    async run({ client }, planId) {
      const startMs = Date.now();
      const id = await publish(client, planId, 'later', { delayS: 1 });
      await publish(client, planId, 'now');
      // On a slow machine both may be ready by now.
      for (const _ of ['now', 'later']) {
        const message = await next(client, planId);
        if (message.id === id) assert.ok(Date.now() - startMs >= 950, 'it came early');
        assert.equal([text(message.body), message.deliveries], [message.id === id ? 'later' : 'now', 1]);
        await client.ack({ planId, topic: TOPIC, receiptHandle: message.receiptHandle });
      }
      await assertStats(client, planId, {});
    },
  },
  {
    title: 'a longer delay than the backend has is refused',
    needs: { offered: ({ maxDelayS }) => maxDelayS < 366 * 86_400 },
    async run({ client }, planId, { maxDelayS }) {
      await refused(publish(client, planId, 'x', { delayS: maxDelayS + 1 }), 'ERR_UNIMPLEMENTED');
    },
  },
  {
    title: 'the same idempotency key stores one message and answers one id, also on another client',
    needs: remembersKeys,
    async run({ client, open }, planId) {
      const other = await open();
      const id = await publish(client, planId, 'x', { idempotencyKey: 'k' });
      assert.is(await publish(client, planId, 'x', { idempotencyKey: 'k' }), id);
      assert.is(await publish(other, planId, 'other body', { idempotencyKey: 'k' }), id);
      await assertStats(client, planId, { ready: 1 });
      const message = await next(client, planId);
      assert.equal([message.id, text(message.body)], [id, 'x']);
      await client.ack({ planId, topic: TOPIC, receiptHandle: message.receiptHandle });
      assert.is(await publish(client, planId, 'x', { idempotencyKey: 'k' }), id, 'after its ack');
      await assertEmpty(client, planId);
    },
  },
  {
    title: 'concurrent publishes with one key store one message',
    needs: remembersKeys,
    async run({ client, open }, planId) {
      const clients = [client, await open(), await open()];
      const ids = await Promise.all(
        clients.flatMap((one) => [1, 2, 3, 4].map(() => publish(one, planId, 'x', { idempotencyKey: 'one' }))),
      );
      assert.is(new Set(ids).size, 1);
      await assertStats(client, planId, { ready: 1 });
    },
  },
  {
    title: 'keys are by plan and topic, and any Unicode text is one',
    needs: remembersKeys,
    async run({ client }, planId) {
      const keys = ['a', 'A', 'with space', 'ключ', '🔑', '*', 'a.b', 'k'.repeat(512)];
      const ids = await Promise.all(keys.map((idempotencyKey) => publish(client, planId, 'x', { idempotencyKey })));
      assert.is(new Set(ids).size, keys.length);
      await take(client, planId, keys.length);
      await client.publish({ planId, topic: 'second', body: bytes('y'), idempotencyKey: 'a' });
      assert.is(text((await next(client, planId, { topic: 'second' })).body), 'y');
      const other = `${planId}-x`;
      await publish(client, other, 'z', { idempotencyKey: 'a' });
      assert.is(text((await next(client, other)).body), 'z');
      for (const idempotencyKey of ['', 'k'.repeat(513), '\ud800']) {
        await refused(publish(client, planId, 'x', { idempotencyKey }), 'ERR_SCHEMA');
      }
    },
  },
  {
    title: 'a delayed message is known by its key',
    needs: { offered: (has) => remembersKeys.offered(has) && canDelay.offered(has) },
    async run({ client }, planId) {
      const once = { idempotencyKey: 'k', delayS: 1 };
      const id = await publish(client, planId, 'x', once);
      assert.is(await publish(client, planId, 'x', once), id);
      assert.is((await next(client, planId)).id, id);
      await assertEmpty(client, planId);
    },
  },
  {
    title: 'idempotency keys are remembered over a restart of the backend',
    alone: true,
    needs: { offered: (has) => remembersKeys.offered(has) && has.dedupeSurvivesRestart },
    async run({ client, open, restart }, planId) {
      const id = await publish(client, planId, 'x', { idempotencyKey: 'k' });
      const message = await next(client, planId);
      await client.ack({ planId, topic: TOPIC, receiptHandle: message.receiptHandle });
      await restart?.();
      const later = await open();
      assert.is(await publish(later, planId, 'x', { idempotencyKey: 'k' }), id);
      await assertEmpty(later, planId);
    },
  },
];
