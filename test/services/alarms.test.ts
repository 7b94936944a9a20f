import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import * as assert from 'uvu/assert';
import { Alarms, plansWithoutAlarm, roomForAlarms } from '../../services/common/alarms.ts';
import { delay } from '../../shared/async/delay.ts';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { Journal } from '../../shared/journal/journal.ts';
import { lastMessageOf } from '../../shared/nats/read.ts';
import { ALARMS_STREAM, alarmSubject, rungSubject } from '../../shared/wire/alarms.ts';
import { MAX_BYTES_METADATA } from '../../shared/wire/scratch-streams.ts';
import { STREAMS } from '../../shared/wire/streams.ts';
import { suite } from '../harness/suite.ts';
import { type Live, withLive } from '../ledger/live.ts';
import { admitted, submitted } from '../ledger/plan-history.ts';
import { refusal } from '../stack/accounts.ts';

const test = suite('alarms');

const HOUR_MS = 3_600_000;

/** What has rung, in order, as long as the test lets it. */
async function* rings(server: Live): AsyncGenerator<string> {
  const connection = await server.connect();
  const jsm = await jetstreamManager(connection);
  await jsm.consumers.add(ALARMS_STREAM, {
    durable_name: 'test',
    ack_policy: 'explicit',
    filter_subject: rungSubject(),
  });
  const messages = await (await jsm.jetstream().consumers.get(ALARMS_STREAM, 'test')).consume();
  try {
    for await (const message of messages) {
      await message.ackAck();
      yield message.subject;
    }
  } finally {
    messages.stop();
  }
}

async function setFor(connection: NatsConnection, planId: string): Promise<number | undefined> {
  const found = await lastMessageOf(connection, ALARMS_STREAM, alarmSubject(planId));
  return found === undefined ? undefined : Date.parse(JSON.parse(Buffer.from(found.data).toString()).due);
}

const next = async (sequence: AsyncGenerator<string>): Promise<string | undefined> => (await sequence.next()).value;

test('an alarm rings at its time, once; what is past rings at once; one that was cancelled is gone', () =>
  withLive(async (server) => {
    const connection = await server.connect();
    const alarms = new Alarms(connection);
    const now = Date.now();
    await alarms.set('cancelled', now + HOUR_MS);
    alarms.cancel('cancelled');
    while ((await setFor(connection, 'cancelled')) !== undefined) await delay(10);
    await alarms.set('second', now + 1_200);
    await alarms.set('first', now - HOUR_MS);
    const heard = rings(server);
    assert.equal([await next(heard), await next(heard)], ['alarms.rung.first', 'alarms.rung.second']);
    assert.is(await setFor(connection, 'second'), undefined, 'a plan whose alarm has rung has none');
    await heard.return(undefined);
  }));

test('it is moved to ring earlier, never later, whoever sets it', () =>
  withLive(async (server) => {
    const connection = await server.connect();
    const [one, other] = [new Alarms(connection), new Alarms(await server.connect())];
    const now = Date.now();
    await one.set('plan', now + HOUR_MS);
    await other.set('plan', now + 2 * HOUR_MS);
    assert.is(await setFor(connection, 'plan'), now + HOUR_MS);
    const together = [400_000, 600_000, 500_000].map((ms, at) => (at === 0 ? other : one).set('plan', now + ms));
    await Promise.all(together);
    assert.is(await setFor(connection, 'plan'), now + 400_000);
    await one.set('plan', now + 300);
    const heard = rings(server);
    assert.is(await next(heard), 'alarms.rung.plan');
    await one.set('plan', now + HOUR_MS);
    assert.is(await setFor(connection, 'plan'), now + HOUR_MS, 'after it rang it is set anew');
    await heard.return(undefined);
  }));

test('it rings although the server was killed meanwhile', () =>
  withLive(async (server) => {
    const alarms = new Alarms(await server.connect());
    await alarms.set('plan', Date.now() + 1_500);
    await server.killAndRestart();
    const heard = rings(server);
    assert.is(await next(heard), 'alarms.rung.plan');
    await heard.return(undefined);
  }));

test('open plans without an alarm are known from the subjects of both streams', () =>
  withLive(async (server) => {
    const connection = await server.connect();
    const journal = new Journal({ connection, by: 'admission' });
    for (const planId of ['awaited', 'forgotten']) {
      await journal.append(planId, () => ({ drafts: [submitted(planId), admitted(planId, 1_000)] }));
    }
    await new Alarms(connection).set('awaited', Date.now() + HOUR_MS);
    const manager = await jetstreamManager(connection, { checkAPI: false });
    assert.equal(await plansWithoutAlarm(connection, manager), ['forgotten']);
    await (await jetstreamManager(await server.connectAdmin())).streams.delete(ALARMS_STREAM);
    const refused = await plansWithoutAlarm(connection, manager).catch((error: unknown) => error);
    assert.is(refused instanceof IsomorphError && refused.code, 'ERR_UNAVAILABLE');
  }));

test('new plans are refused their alarm where the stream holds as much as it may; those that are open are not', () =>
  withLive(async (server) => {
    const { streams } = await jetstreamManager(await server.connectAdmin());
    await streams.update(ALARMS_STREAM, { metadata: { [MAX_BYTES_METADATA]: '500' } });
    const connection = await server.connect();
    const manager = await jetstreamManager(connection, { checkAPI: false });
    await roomForAlarms(manager).take(ALARMS_STREAM, 200);
    const alarms = new Alarms(connection);
    for (const planId of ['one', 'two', 'three', 'four']) await alarms.set(planId, Date.now() + HOUR_MS);
    const refused = await roomForAlarms(manager)
      .take(ALARMS_STREAM, 200)
      .catch((error: unknown) => error);
    assert.is(refused instanceof IsomorphError && refused.code, 'ERR_LIMIT');
    await alarms.set('five', Date.now() + HOUR_MS);
  }));

test('a service may purge ALARMS and no other stream', () =>
  withLive(async (server) => {
    const service = await server.connect();
    const { streams } = await jetstreamManager(service, { checkAPI: false });
    await streams.purge(ALARMS_STREAM, { filter: alarmSubject('plan') });
    for (const { name } of STREAMS) {
      if (name === ALARMS_STREAM) continue;
      assert.is(await refusal(streams.purge(name)), 'PermissionViolationError', name);
    }
  }));

test.run();
