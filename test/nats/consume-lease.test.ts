import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import * as assert from 'uvu/assert';
import { consumeFor } from '../../services/common/consume.ts';
import type { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { type Disposition, DONE } from '../../shared/nats/disposition.ts';
import { publish } from '../../shared/nats/publish.ts';
import { ACK_WAIT_MS } from '../../shared/wire/consumers.ts';
import { suite } from '../harness/suite.ts';
import { withLive } from '../ledger/live.ts';
import { CONSUMER, gate, silent, withConsumer } from './live-consumer.ts';

const NS_PER_MS = 1_000_000;

const test = suite('leases of the consume loop');

const live = (title: string, use: Parameters<typeof withConsumer>[0]): void => test(title, () => withConsumer(use));

live('stopping waits for the handler under way and gives back what was not begun', async (its) => {
  const [begun, finish] = [gate(), gate()];
  const handled: string[] = [];
  const consumption = await its.start(
    async (message) => {
      begun.open();
      await finish.promise;
      handled.push(message.string());
      return DONE;
    },
    { concurrency: 1 },
  );
  await its.send('first', 'second', 'third');
  await begun.promise;
  // All three are here: two of them wait behind the first.
  while ((await its.info()).num_ack_pending < 3) await its.connection.flush();
  let stopped = false;
  const stopping = consumption.stop().then(() => {
    stopped = true;
  });
  await its.connection.flush();
  assert.not.ok(stopped, 'it did not wait');
  finish.open();
  await stopping;
  assert.equal(handled, ['first']);
  // Well before the server would have given up on us.
  const consumer = await jetstream(its.connection).consumers.get(CONSUMER.stream, CONSUMER.durable);
  const again: string[] = [];
  for await (const message of await consumer.fetch({ max_messages: 2, expires: ACK_WAIT_MS / 2 })) {
    again.push(message.string());
    message.ack();
  }
  assert.equal(again.sort(), ['second', 'third']);
});

/** A handler that answers only when it is told to, and what it holds meanwhile. */
function holding() {
  const held: ((answer: Disposition) => void)[] = [];
  let isReleased = false;
  let arrived: () => void = () => undefined;
  return {
    held,
    handle: () =>
      new Promise<Disposition>((resolve) => {
        held.push(resolve);
        if (isReleased) resolve(DONE);
        arrived();
      }),
    /** A loop that is stopped waits for its handlers. */
    release(): void {
      isReleased = true;
      for (const answer of held) answer(DONE);
    },
    async until(count: number): Promise<void> {
      while (held.length < count) {
        await new Promise<void>((resolve) => {
          arrived = resolve;
        });
      }
    },
  };
}

live(
  'a loop holds no more than its prefetch; the rest is for others, and for it as soon as it has room',
  async (its) => {
    const [first, second] = [holding(), holding()];
    const few = { prefetch: 4, concurrency: 4 };
    try {
      await its.send(...Array.from({ length: 40 }, String));
      await its.start(first.handle, few);
      await first.until(4);
      await its.connection.flush();
      const full = await its.info();
      // Nothing is asked for, so nothing more can come.
      assert.equal([full.num_ack_pending, full.num_waiting], [4, 0]);
      await its.start(second.handle, few);
      await second.until(4);
      // What is handed back for later is held by nobody.
      first.held[0]?.({ kind: 'later', delayMs: 3_600_000 });
      await first.until(5);
      first.held[1]?.(DONE);
      await first.until(6);
    } finally {
      for (const loop of [first, second]) loop.release();
    }
  },
);

live('a message whose key is not told is not held for ever: it comes again', async (its) => {
  const jsm = await jetstreamManager(its.connection);
  await jsm.consumers.update(CONSUMER.stream, CONSUMER.durable, { ack_wait: 1_000 * NS_PER_MS });
  let asked = 0;
  const done = gate<number>();
  await its.start(
    async (message) => {
      done.open(message.info.deliveryCount);
      return DONE;
    },
    {
      keyOf: () => {
        asked += 1;
        if (asked === 1) throw new TypeError('undefined is not a function');
        return 'key';
      },
    },
  );
  await its.send('keyless');
  assert.is(await done.promise, 2);
});

live('a handler that waits is told to give up, and its message goes to the next', async (its) => {
  const begun = gate();
  const consumption = await its.start(async (_, signal): Promise<Disposition> => {
    begun.open();
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('stopping'))));
    return DONE;
  });
  await its.send('handed on');
  await begun.promise;
  await consumption.stop();
  const next = gate<string>();
  await its.start(async (message) => {
    next.open(message.string());
    return DONE;
  });
  assert.is(await next.promise, 'handed on');
});

live('a handler that takes longer than the server waits keeps its message', async (its) => {
  let deliveries = 0;
  const done = gate();
  await its.start(
    async () => {
      deliveries += 1;
      // Nothing but time shows that heartbeats were heard.
      await new Promise((resolve) => setTimeout(resolve, ACK_WAIT_MS + 1_500));
      done.open();
      return DONE;
    },
    // A second delivery would not wait for the first to end.
    { keyOf: (message) => String(message.info.deliveryCount) },
  );
  await its.send('long');
  await done.promise;
  assert.is(deliveries, 1);
});

test('a consumer that does not exist, and that the server lets nobody make, is told at once', async () => {
  await withLive(async (server) => {
    const connection = await server.connect();
    // All of a work queue belongs to the consumer that is there.
    const consumer = { stream: 'FACTS', durable: 'nobody', replaces: 'nobody-before' };
    const log = silent;
    try {
      const options = { consumer, keyOf: () => '', principalOf: async () => undefined, concurrency: 1 };
      await consumeFor({ connection, log }, { ...options, handle: async () => DONE });
      assert.unreachable();
    } catch (error) {
      assert.is((error as IsomorphError).code, 'ERR_UNAVAILABLE');
    }
  });
});

live('consuming goes on after the server was killed and came back', async (its, server) => {
  await its.send('before');
  const [before, after] = [gate(), gate()];
  await its.start(async (message) => {
    (message.string() === 'before' ? before : after).open();
    return DONE;
  });
  await before.promise;
  await server.killAndRestart();
  const sender = await server.connect();
  await publish(sender, 'facts.plan.test', 'after');
  await after.promise;
});

test.run();
