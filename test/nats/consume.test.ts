import { type ConsumerInfo, type JsMsg, jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import pino from 'pino';
import * as assert from 'uvu/assert';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { type ConsumeOptions, type Consumption, consume, DONE, type Verdict } from '../../shared/nats/consume.ts';
import type { DeadLetter } from '../../shared/nats/dead.ts';
import { publish } from '../../shared/nats/publish.ts';
import { ACK_WAIT_MS } from '../../shared/nats/topology.ts';
import { suite } from '../harness/suite.ts';
import { type Live, withLive } from '../ledger/live.ts';

const test = suite('consume loop');

const CONSUMER = { stream: 'FACTS', durable: 'sampler' };
const log = pino({ level: 'silent' });

interface Its {
  readonly connection: NatsConnection;
  send(...bodies: string[]): Promise<void>;
  /** Starts a loop that is stopped with the test. */
  start(handle: ConsumeOptions['handle'], options?: Partial<ConsumeOptions>): Promise<Consumption>;
  info(): Promise<ConsumerInfo>;
}

function live(title: string, use: (its: Its, server: Live) => Promise<void>): void {
  test(title, () =>
    withLive(async (server) => {
      const connection = await server.connect();
      const started: Consumption[] = [];
      const its: Its = {
        connection,
        async send(...bodies) {
          for (const body of bodies) await publish(connection, 'facts.plan.test', body);
        },
        async start(handle, options = {}) {
          const keyOf = (message: JsMsg): string => String(message.seq);
          const consumption = await consume({
            connection,
            consumer: CONSUMER,
            log,
            keyOf,
            concurrency: 16,
            handle,
            ...options,
          });
          started.push(consumption);
          return consumption;
        },
        async info() {
          return (await jetstreamManager(connection)).consumers.info(CONSUMER.stream, CONSUMER.durable);
        },
      };
      try {
        await use(its, server);
      } finally {
        await Promise.all(started.map((one) => one.stop()));
      }
    }),
  );
}

/** A promise that somebody else resolves. */
function gate<T = void>(): { readonly promise: Promise<T>; open(value: T): void } {
  let open: (value: T) => void = () => undefined;
  const promise = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}

/** Without their jitter, retries come at once: what is tested is that they come, not when. */
async function withoutBackoff(use: () => Promise<void>): Promise<void> {
  const { random } = Math;
  // Not nothing: the client draws its request ids from it.
  Math.random = () => random() / 1_000_000;
  try {
    await use();
  } finally {
    Math.random = random;
  }
}

live('a message is acknowledged when its handler is done, and not delivered again', async (its) => {
  const seen: string[] = [];
  const all = gate();
  const consumption = await its.start(async (message) => {
    seen.push(message.string());
    if (seen.length === 3) all.open();
    return DONE;
  });
  await its.send('a', 'b', 'c');
  await all.promise;
  await consumption.stop();
  assert.equal(seen.sort(), ['a', 'b', 'c']);
  const { num_pending: pending, num_ack_pending: unacked, num_redelivered: again } = await its.info();
  assert.equal([pending, unacked, again], [0, 0, 0]);
});

live('what fails for a passing reason is delivered again until it succeeds, however often that is', async (its) => {
  await withoutBackoff(async () => {
    let deliveries = 0;
    const done = gate();
    await its.start(async () => {
      deliveries += 1;
      if (deliveries < 12) throw new IsomorphError('ERR_UNAVAILABLE', 'the store is away');
      done.open();
      return DONE;
    });
    await its.send('patience');
    await done.promise;
    assert.is(deliveries, 12);
  });
});

live('a handler that says later gets the message again', async (its) => {
  const done = gate<number>();
  await its.start(async (message): Promise<Verdict> => {
    const { deliveryCount } = message.info;
    if (deliveryCount < 3) return { kind: 'later', delayMs: 1 };
    done.open(deliveryCount);
    return DONE;
  });
  await its.send('later');
  assert.is(await done.promise, 3);
});

/** The next dead letter after `act`. */
async function deadLetter(
  { connection }: Its,
  act: () => Promise<unknown>,
): Promise<{ subject: string; letter: DeadLetter }> {
  const subscription = connection.subscribe('dead.>', { max: 1 });
  await connection.flush();
  await act();
  for await (const message of subscription) return { subject: message.subject, letter: message.json<DeadLetter>() };
  throw new Error('no dead letter');
}

live('a defect is given up after eight deliveries: the message lies on DEAD with its reason', async (its) => {
  await withoutBackoff(async () => {
    let deliveries = 0;
    await its.start(async () => {
      deliveries += 1;
      throw new TypeError('undefined is not a function');
    });
    const { subject, letter } = await deadLetter(its, () => its.send('poison'));
    assert.is(subject, 'dead.facts._');
    assert.equal(letter.fault, { code: 'ERR_INTERNAL', message: 'undefined is not a function' });
    assert.is(Buffer.from(letter.body_base64, 'base64').toString(), 'poison');
    assert.equal([letter.subject, letter.seq, letter.deliveries], ['facts.plan.test', 1, 8]);
    assert.is(deliveries, 8);
    const stored = await (await jetstreamManager(its.connection)).streams.info('DEAD');
    assert.is(stored.state.messages, 1);
  });
});

live('one message that cannot be handled is in nobody’s way', async (its) => {
  await withoutBackoff(async () => {
    const good = gate();
    await its.start(async (message): Promise<Verdict> => {
      if (message.string() === 'good') {
        good.open();
        return DONE;
      }
      return { kind: 'dead', fault: { code: 'ERR_SCHEMA', message: 'no' }, planId: 'plan-7' };
    });
    const { subject, letter } = await deadLetter(its, () => its.send('bad', 'good'));
    await good.promise;
    assert.equal([subject, letter.fault.code, letter.deliveries], ['dead.facts.plan-7', 'ERR_SCHEMA', 1]);
  });
});

live('messages of one key are handled one after another, in order; other keys do not wait for them', async (its) => {
  const order: string[] = [];
  const [slow, all] = [gate(), gate()];
  let under = 0;
  await its.start(
    async (message) => {
      const body = message.string();
      if (body.startsWith('a')) assert.is(++under, 1, 'two of one key at once');
      if (body === 'a1') await slow.promise;
      order.push(body);
      if (body.startsWith('a')) under -= 1;
      if (body === 'b1') slow.open();
      if (order.length === 5) all.open();
      return DONE;
    },
    { keyOf: (message) => message.string().slice(0, 1) },
  );
  await its.send('a1', 'a2', 'a3', 'b1', 'a4');
  await all.promise;
  assert.equal(order, ['b1', 'a1', 'a2', 'a3', 'a4']);
});

live('no more handlers run at once than were asked for', async (its) => {
  let [running, most, ended] = [0, 0, 0];
  const [three, all] = [gate(), gate()];
  await its.start(
    async () => {
      running += 1;
      most = Math.max(most, running);
      if (running === 3) three.open();
      await three.promise;
      running -= 1;
      ended += 1;
      if (ended === 20) all.open();
      return DONE;
    },
    { concurrency: 3 },
  );
  await its.send(...Array.from({ length: 20 }, String));
  await all.promise;
  assert.is(most, 3);
});

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

live('a handler that waits is told to give up, and its message goes to the next', async (its) => {
  const begun = gate();
  const consumption = await its.start(async (_, signal): Promise<Verdict> => {
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
  const consumption = await its.start(async () => {
    deliveries += 1;
    // Nothing but time shows that heartbeats were heard.
    await new Promise((resolve) => setTimeout(resolve, ACK_WAIT_MS + 1_500));
    done.open();
    return DONE;
  });
  await its.send('long');
  await done.promise;
  await consumption.stop();
  assert.is(deliveries, 1);
  assert.is((await its.info()).num_redelivered, 0);
});

test('a consumer that does not exist is told at once', async () => {
  await withLive(async (server) => {
    const connection = await server.connect();
    const consumer = { stream: 'FACTS', durable: 'nobody' };
    try {
      await consume({ connection, consumer, log, keyOf: () => '', concurrency: 1, handle: async () => DONE });
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
