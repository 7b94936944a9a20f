import { jetstreamManager } from '@nats-io/jetstream';
import * as assert from 'uvu/assert';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { type Disposition, DONE } from '../../shared/nats/disposition.ts';
import type { DeadLetter } from '../../shared/wire/dead.ts';
import { suite } from '../harness/suite.ts';
import { gate, type Its, withConsumer } from './live-consumer.ts';

const test = suite('consume loop');

const live = (title: string, use: Parameters<typeof withConsumer>[0]): void => test(title, () => withConsumer(use));

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

live('what waits longer than its patience is given up, with what it waited for', async (its) => {
  await withoutBackoff(async () => {
    const away = () => Promise.reject(new IsomorphError('ERR_REFUSED', 'the store refuses'));
    const { letter } = await deadLetter(its, async () => {
      await its.send('impatient');
      await its.start(away, { patienceS: 1 });
    });
    assert.equal(letter.fault, { code: 'ERR_REFUSED', message: 'the store refuses' });
  });
});

live('a defect that calls itself worth a retry is given up like any other', async (its) => {
  await withoutBackoff(async () => {
    const broken = () => Promise.reject(new IsomorphError('ERR_INTERNAL', 'a defect'));
    const { letter } = await deadLetter(its, async () => {
      await its.send('defect');
      await its.start(broken);
    });
    assert.equal([letter.fault.code, letter.deliveries], ['ERR_INTERNAL', 8]);
  });
});

live('a handler that says later gets the message again', async (its) => {
  const done = gate<number>();
  await its.start(async (message): Promise<Disposition> => {
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
    assert.is(subject, 'dead.facts._._');
    assert.equal(letter.fault, { code: 'ERR_INTERNAL', message: 'undefined is not a function' });
    assert.is(Buffer.from(letter.body_base64, 'base64').toString(), 'poison');
    assert.equal([letter.subject, letter.seq, letter.deliveries], ['facts.plan.test', 1, 8]);
    assert.is(deliveries, 8);
    const stored = await (await jetstreamManager(its.connection)).streams.info('DEAD');
    assert.is(stored.state.messages, 1);
  });
});

for (const [what, error, code] of [
  ['is of a quarantined plan', new IsomorphError('ERR_QUARANTINED', 'quarantined at seq 3'), 'ERR_QUARANTINED'],
  ['is a defect to the end', new TypeError('undefined is not a function'), 'ERR_INTERNAL'],
] as const) {
  live(`a message that ${what} is refused where its sender listens: under its plan`, async (its) => {
    await withoutBackoff(async () => {
      await its.start(() => Promise.reject(error), { planOf: () => 'plan-7' });
      const { subject, letter } = await deadLetter(its, () => its.send('asked'));
      assert.equal([subject, letter.fault.code], ['dead.facts._.plan-7', code]);
    });
  });
}

live('one message that cannot be handled is in nobody’s way', async (its) => {
  await withoutBackoff(async () => {
    const good = gate();
    await its.start(async (message): Promise<Disposition> => {
      if (message.string() === 'good') {
        good.open();
        return DONE;
      }
      return { kind: 'dead', fault: { code: 'ERR_SCHEMA', message: 'no' }, planId: 'plan-7' };
    });
    const { subject, letter } = await deadLetter(its, () => its.send('bad', 'good'));
    await good.promise;
    assert.equal([subject, letter.fault.code, letter.deliveries], ['dead.facts._.plan-7', 'ERR_SCHEMA', 1]);
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

live(
  'handlers that wait for nothing keep no timer and no signal waiting, however many messages there are',
  async (its) => {
    const [begun, go, all] = [gate(), gate(), gate()];
    let handled = 0;
    await its.start(
      async () => {
        begun.open();
        await go.promise;
        handled += 1;
        if (handled === 200) all.open();
        return DONE;
      },
      { keyOf: () => 'plan' },
    );
    await its.send(...Array.from({ length: 200 }, String));
    await begun.promise;
    while ((await its.info()).num_ack_pending < 200) await its.connection.flush();
    go.open();
    await new Promise((resolve) => setTimeout(resolve, 0));
    assert.ok(handled < 200, 'a timer came after the last of them');
    await all.promise;
  },
);

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

test.run();
