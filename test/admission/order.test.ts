import { type JsMsg, jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import * as assert from 'uvu/assert';
import { CommandOrder } from '../../services/admission/order.ts';
import { ensureTopology } from '../../services/setup/topology.ts';
import { publish } from '../../shared/nats/publish.ts';
import { COMMANDS_STREAM } from '../../shared/wire/commands.ts';
import { CONSUMERS } from '../../shared/wire/consumers.ts';
import { FACTS_STREAM } from '../../shared/wire/facts.ts';
import { suite } from '../harness/suite.ts';
import { withLive } from '../ledger/live.ts';

const test = suite('order of commands');

const submit = async (connection: NatsConnection, ...planIds: string[]): Promise<void> => {
  for (const plan_id of planIds) await publish(connection, 'plans.submit', JSON.stringify({ plan_id }));
};

/** Messages as the consumer of admission delivers them next, to whoever asks. */
async function take(connection: NatsConnection, count: number): Promise<JsMsg[]> {
  const { stream, durable } = CONSUMERS.admission;
  const consumer = await jetstream(connection).consumers.get(stream, durable);
  const taken: JsMsg[] = [];
  for await (const message of await consumer.fetch({ max_messages: count, expires: 5_000 })) taken.push(message);
  return taken;
}

const planOf = (message: JsMsg): string => message.json<{ plan_id: string }>().plan_id;

/** A connection that counts what it is asked. */
function counting(connection: NatsConnection): { readonly connection: NatsConnection; requests: number } {
  const counted = { connection, requests: 0 };
  counted.connection = new Proxy(connection, {
    get(target, name) {
      if (name === 'request') counted.requests += 1;
      const value = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return counted;
}

test('a command is awaited when it is the first of several of its plan, and none is that is alone', () =>
  withLive(async (server) => {
    const order = new CommandOrder(await server.connect());
    for (const [seq, planId] of [...'abac'].entries()) order.delivered(seq + 1, planId);
    const awaited = () => [...'abac'].map((planId, at) => order.isAwaited(planId, at + 1));
    assert.equal(awaited(), [true, false, false, false]);
    order.answered(1);
    assert.equal(awaited(), [false, false, false, false]);
  }));

test('a copy that is alone knows the order by what it was given, and asks nobody', () =>
  withLive(async (server) => {
    const counted = counting(await server.connect());
    const order = new CommandOrder(counted.connection);
    await submit(counted.connection, 'a', 'b', 'a', 'c');
    const messages = await take(counted.connection, 4);
    for (const message of messages) order.delivered(message.seq, planOf(message));
    counted.requests = 0;
    assert.equal(await Promise.all([order.isFirst('a', 1), order.isFirst('b', 2), order.isFirst('c', 4)]), [
      true,
      true,
      true,
    ]);
    assert.is(counted.requests, 0);
    assert.is(await order.isFirst('a', 3), false);
    await messages[0]?.ackAck();
    order.answered(1);
    counted.requests = 0;
    assert.is(await order.isFirst('a', 3), true);
    assert.is(counted.requests, 0);
  }));

test('a command that another copy holds is waited for until that one has answered it', () =>
  withLive(async (server) => {
    const connection = await server.connect();
    const order = new CommandOrder(connection);
    await submit(connection, 'a', 'b', 'a', 'b');
    const [first, second] = await take(connection, 2);
    const [third] = await take(connection, 1);
    order.delivered(third?.seq ?? 0, 'a');
    assert.is(await order.isFirst('a', 3), false);
    await second?.ackAck();
    assert.is(await order.isFirst('a', 3), false, 'the other one was of another plan');
    await first?.ackAck();
    assert.is(await order.isFirst('a', 3), true);
    const [fourth] = await take(connection, 1);
    order.delivered(fourth?.seq ?? 0, 'b');
    assert.is(await order.isFirst('b', 4), true);
  }));

test('what was stored before a copy started is known to it, also what waits to be delivered again', () =>
  withLive(async (server) => {
    const connection = await server.connect();
    await submit(connection, 'a', 'gone', 'a');
    const [first, gone] = await take(connection, 2);
    first?.nak(3_600_000);
    await gone?.ackAck();
    const [third] = await take(connection, 1);
    const order = new CommandOrder(connection);
    order.delivered(third?.seq ?? 0, 'a');
    assert.is(await order.isFirst('a', 3), false);
  }));

test('what others have answered may be forgotten; what they hold is not', () =>
  withLive(async (server) => {
    const connection = await server.connect();
    const counted = counting(connection);
    const order = new CommandOrder(counted.connection, 8);
    const planIds = (from: string, count: number) => Array.from({ length: count }, (_, index) => `${from}${index}`);
    await submit(connection, ...planIds('early', 6), 'held', ...planIds('later', 13));
    const taken = await take(connection, 20);
    assert.is(await order.isFirst('none', 15), true, 'fourteen are read, and nobody has answered one');
    for (const message of taken) if (planOf(message) !== 'held') await message.ackAck();
    await submit(connection, ...planIds('last', 10), 'held');
    const [mine] = (await take(connection, 11)).slice(-1);
    order.delivered(mine?.seq ?? 0, 'held');
    assert.is(await order.isFirst('held', 31), false);
    counted.requests = 0;
    assert.is(await order.isFirst('early0', 31), true);
    assert.is(counted.requests, 0, 'it is known no more, so nobody was asked about it');
  }));

test('a stream whose numbers the ledger names gives none twice when it is made anew beside a ledger', () =>
  withLive(async (server) => {
    const connection = await server.connectAdmin();
    const send = { [COMMANDS_STREAM]: 'plans.submit', [FACTS_STREAM]: 'facts.a.scratch.kv.changed' };
    const jsm = await jetstreamManager(connection);
    await publish(connection, 'ledger.a.plan.submitted', 'whatever names command 1');
    for (const [stream, subject] of Object.entries(send)) {
      await publish(connection, subject, '{"plan_id":"a"}');
      await jsm.streams.delete(stream);
      await ensureTopology(connection);
      const { seq } = await publish(connection, subject, '{"plan_id":"a"}');
      assert.ok(seq > 1_700_000_000_000, `${stream} ${seq}`);
      assert.ok(Number.isSafeInteger(seq * 1_000));
    }
  }));

test.run();
