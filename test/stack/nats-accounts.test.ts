import { jetstream, jetstreamManager, type PubAck } from '@nats-io/jetstream';
import { connect, headers, type NatsConnection } from '@nats-io/transport-node';
import * as assert from 'uvu/assert';
import { suite } from '../harness/suite.ts';
import { ledgerMessages, mayHear, refusal, withServer } from './accounts.ts';

const test = suite('stack nats accounts: clients and principals');

test('a client without credentials gets the acknowledgement of the command stream', async () => {
  await withServer(async (as) => {
    const client = await as('edge');
    const submitted = await client.request('plans.submit', '{"plan_id":"p1"}', { timeout: 5000 });
    assert.is(submitted.json<{ stream: string }>().stream, 'COMMANDS');
    const cancelled = await client.request('plans.cancel', '{"plan_id":"p1"}', { timeout: 5000 });
    assert.equal(cancelled.json<{ stream: string; seq: number }>(), { stream: 'COMMANDS', seq: 2 });
  });
});

test('a client without credentials follows the ledger live', async () => {
  await withServer(async (as) => {
    const heard = (await as('edge')).subscribe('ledger.p1.>', { max: 1 });
    await (await as('edge')).flush();
    await jetstream(await as('service')).publish('ledger.p1.plan.settled', '{"seq":1}');
    for await (const message of heard) assert.is(message.string(), '{"seq":1}');
  });
});

test('each principal hears of its own refusals and of nobody else’s; operator and auditor hear of all', async () => {
  await withServer(async (as) => {
    const own = { edge: 'anonymous', alice: 'alice', bob: 'bob' } as const;
    const everything = ['dead.>', 'dead.*.*.p1', 'dead.commands.*.p1', 'dead.commands.>'];
    const users = ['edge', 'alice', 'bob'] as const;
    for (const user of users) {
      const connection = await as(user);
      for (const subject of everything) assert.is(await mayHear(connection, subject), false, `${user} ${subject}`);
      for (const other of users) {
        const may = await mayHear(connection, `dead.commands.${own[other]}.p1`);
        assert.is(may, other === user, `${user} hears ${own[other]}`);
      }
    }
    for (const user of ['operator', 'auditor'] as const) {
      for (const subject of everything) assert.ok(await mayHear(await as(user), subject), `${user} ${subject}`);
    }
    const heard = users.map(async (user) => {
      const connection = await as(user);
      const seen: string[] = [];
      const subscription = connection.subscribe(`dead.*.${own[user]}.>`, { max: 1 });
      await connection.flush();
      return {
        seen,
        done: (async () => {
          for await (const { subject } of subscription) seen.push(subject);
        })(),
      };
    });
    const listeners = await Promise.all(heard);
    const service = await as('service');
    for (const user of users) service.publish(`dead.commands.${own[user]}.p1`, '{}');
    await Promise.all(listeners.map(({ done }) => done));
    assert.equal(
      listeners.map(({ seen }) => seen),
      users.map((user) => [`dead.commands.${own[user]}.p1`]),
    );
  });
});

test('each principal commands under its own name and no other', async () => {
  await withServer(async (as) => {
    const names = { edge: undefined, alice: 'alice', bob: 'bob', operator: 'operator' } as const;
    const users = ['edge', 'alice', 'bob', 'operator'] as const;
    const subjectOf = (user: (typeof users)[number]) =>
      names[user] === undefined ? 'plans.cancel' : `plans.${names[user]}.cancel`;
    for (const user of users) {
      const connection = await as(user);
      for (const other of users) {
        const asked = connection.request(subjectOf(other), '{"plan_id":"p1"}', { timeout: 5_000 });
        if (user === other) assert.is((await asked).json<{ stream: string }>().stream, 'COMMANDS');
        else assert.is(await refusal(asked), 'PermissionViolationError', `${user} as ${other}`);
      }
    }
  });
});

test('nobody’s message id swallows the command of another', async () => {
  await withServer(async (as) => {
    const [alice, bob] = [await as('alice'), await as('bob')];
    const { config } = await (await jetstreamManager(await as('admin'))).streams.info('COMMANDS');
    // Less the server does not take: 0 means its default of two minutes.
    assert.is(config.duplicate_window, 100_000_000);
    const withId = headers();
    withId.set('Nats-Msg-Id', 'plan-1');
    const submit = async (connection: NatsConnection, name: string) =>
      (await connection.request(`plans.${name}.submit`, '{}', { headers: withId, timeout: 5_000 })).json<PubAck>();
    const first = await submit(alice, 'alice');
    // As long as the window is: by the clock of the server, which stores in between.
    let other = await submit(bob, 'bob');
    while (other.duplicate) other = await submit(bob, 'bob');
    assert.is(other.seq, first.seq + 1);
  });
});

test('a client without credentials cannot write to the ledger, by its subject or by a reply subject', async () => {
  await withServer(async (as) => {
    const client = await as('edge');
    assert.is(
      await refusal(client.request('ledger.p1.plan.settled', 'forged', { timeout: 500 })),
      'PermissionViolationError',
    );
    client.publish('plans.submit', 'no plan', { reply: 'ledger.p1.plan.settled' });
    const later = await client.request('plans.submit', 'a later command', { timeout: 5000 });
    assert.is(later.json<{ seq: number }>().seq, 2, 'the command with the reply subject was stored before');
    assert.is(await ledgerMessages(as), 0);
  });
});

test('a client without credentials cannot speak to JetStream of the services', async () => {
  await withServer(async (as) => {
    const client = await as('edge');
    for (const subject of [
      '$JS.API.INFO',
      '$JS.API.STREAM.INFO.LEDGER',
      '$JS.API.DIRECT.GET.LEDGER',
      '$JS.API.STREAM.DELETE.LEDGER',
    ]) {
      assert.is(await refusal(client.request(subject, '', { timeout: 500 })), 'PermissionViolationError', subject);
    }
  });
});

test('a client without credentials does not hear the commands of others', async () => {
  await withServer(async (as) => {
    const client = await as('edge');
    const subscription = client.subscribe('plans.>');
    const refused = await refusal(
      (async () => {
        for await (const message of subscription) throw new Error(`heard ${message.subject}`);
      })(),
    );
    assert.is(refused, 'PermissionViolationError');
  });
});

test('a wrong password is refused', async () => {
  await withServer(async (_as, server) => {
    assert.is(
      await refusal(connect({ servers: server.url, user: 'admin', pass: 'guess', reconnect: false })),
      'AuthorizationError',
    );
  });
});

test.run();
