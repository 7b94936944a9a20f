import { jetstream, jetstreamManager, type PubAck } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { connect, headers, type NatsConnection } from '@nats-io/transport-node';
import * as assert from 'uvu/assert';
import { ensureTopology } from '../../services/setup/topology.ts';
import { type NatsLogin, type NatsServerHandle, startNatsServer } from '../../stack/nats/server.ts';
import { suite } from '../harness/suite.ts';
import { natsBinary, withTempDir } from './fixture.ts';

const test = suite('stack nats accounts');

type User = 'admin' | 'service' | 'auditor' | 'edge' | 'operator' | 'alice' | 'bob';

/** A server with the streams that matter here, and connections of its users. */
async function withServer(
  use: (as: (user: User) => Promise<NatsConnection>, server: NatsServerHandle) => Promise<void>,
) {
  await withTempDir(async (dir) => {
    const server = await startNatsServer({ binary: await natsBinary(), dir, principals: ['alice', 'bob'] });
    const logins = { ...server.credentials, ...server.principals } as Record<string, NatsLogin>;
    const connections: NatsConnection[] = [];
    const as = async (user: User): Promise<NatsConnection> => {
      const login = user === 'edge' ? {} : logins[user];
      const connection = await connect({ servers: server.url, ...login });
      connections.push(connection);
      return connection;
    };
    try {
      await ensureTopology(await as('admin'));
      await use(as, server);
    } finally {
      await Promise.all(connections.map((connection) => connection.close()));
      await server.stop();
    }
  });
}

const ledgerMessages = async (as: (user: User) => Promise<NatsConnection>): Promise<number> =>
  (await (await jetstreamManager(await as('admin'))).streams.info('LEDGER')).state.messages;

/** What the server says to this connection when it refuses a subject. */
async function refusal(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
  } catch (thrown) {
    // A request wraps what the server said.
    const said = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown;
    return said instanceof Error ? said.name : String(said);
  }
  return 'nothing was refused';
}

test('a client without credentials gets the acknowledgement of the command stream', async () => {
  await withServer(async (as) => {
    const client = await as('edge');
    const submitted = await client.request('plans.submit', '{"plan_id":"p1"}', { timeout: 5000 });
    assert.is(submitted.json<{ stream: string }>().stream, 'COMMANDS');
    const cancelled = await client.request('plans.cancel', '{"plan_id":"p1"}', { timeout: 5000 });
    assert.equal(cancelled.json<{ stream: string; seq: number }>(), { stream: 'COMMANDS', seq: 2 });
  });
});

/** Whether the user may subscribe. The server refuses before it answers the flush. */
async function mayHear(connection: NatsConnection, subject: string): Promise<boolean> {
  let refused = false;
  const subscription = connection.subscribe(subject, {
    callback: (error) => {
      refused ||= error !== null;
    },
  });
  await connection.flush();
  subscription.unsubscribe();
  return !refused;
}

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

test('a service appends and reads, but cannot unmake a stream', async () => {
  await withServer(async (as) => {
    const service = await as('service');
    const { seq } = await jetstream(service).publish('ledger.p1.plan.submitted', '{}');
    assert.is(seq, 1);
    const manager = await jetstreamManager(service);
    assert.is((await manager.direct.getMessage('LEDGER', { seq: 1 }))?.subject, 'ledger.p1.plan.submitted');
    const { streams } = manager;
    const refused = await Promise.all(
      [
        streams.delete('LEDGER'),
        streams.purge('LEDGER'),
        streams.update('LEDGER', { max_msgs: 1 }),
        streams.deleteMessage('LEDGER', 1),
        streams.add({ name: 'OTHER', subjects: ['other'] }),
        service.request('$JS.API.STREAM.RESTORE.LEDGER', '{}'),
      ].map(refusal),
    );
    assert.equal(new Set(refused), new Set(['PermissionViolationError']));
    assert.is(await ledgerMessages(as), 1);
  });
});

test('a service uses the bucket of KV as any client of NATS KV, but cannot make, purge or unmake one', async () => {
  await withServer(async (as) => {
    const service = await as('service');
    const bucket = await new Kvm(service).open('SCRATCH');
    const watch = await bucket.watch({ key: 'p1.>' });
    await bucket.put('p1.k', 'v');
    assert.is((await bucket.get('p1.k'))?.string(), 'v');
    await bucket.delete('p1.k');
    const heard: string[] = [];
    for await (const { operation } of watch) if (heard.push(operation) === 2) break;
    assert.equal(heard, ['PUT', 'DEL']);
    const jsm = await jetstreamManager(service);
    const refused = await Promise.all(
      [new Kvm(service).create('OTHER'), jsm.streams.purge('KV_SCRATCH'), bucket.destroy()].map(refusal),
    );
    assert.equal(new Set(refused), new Set(['PermissionViolationError']));
  });
});

test('KV of plans is closed to clients and to the auditor', async () => {
  await withServer(async (as) => {
    const subjects = [
      '$KV.SCRATCH.p1.k',
      '$JS.API.STREAM.MSG.GET.KV_SCRATCH',
      '$JS.API.STREAM.INFO.KV_SCRATCH',
      '$JS.API.CONSUMER.CREATE.KV_SCRATCH.c.$KV.SCRATCH.>',
    ];
    for (const user of ['edge', 'auditor'] as const) {
      const client = await as(user);
      for (const subject of subjects) {
        const refused = await refusal(client.request(subject, '{}', { timeout: 500 }));
        assert.is(refused, 'PermissionViolationError', `${user} ${subject}`);
      }
      const heard = await refusal(
        (async () => {
          for await (const message of client.subscribe('$KV.>')) throw new Error(`heard ${message.subject}`);
        })(),
      );
      assert.is(heard, 'PermissionViolationError', user);
    }
  });
});

test('an auditor reads the ledger, stored and live', async () => {
  await withServer(async (as) => {
    const writer = jetstream(await as('service'));
    for (const kind of ['plan.submitted', 'plan.admitted']) await writer.publish(`ledger.p1.${kind}`, kind);
    const auditor = await as('auditor');
    const { direct } = await jetstreamManager(auditor, { checkAPI: false });
    assert.is((await direct.getMessage('LEDGER', { last_by_subj: 'ledger.p1.>' }))?.string(), 'plan.admitted');
    const chain: string[] = [];
    for await (const message of await direct.getBatch('LEDGER', { seq: 1, next_by_subj: 'ledger.p1.>', batch: 10 })) {
      chain.push(message.string());
    }
    assert.equal(chain, ['plan.submitted', 'plan.admitted']);
    const live = auditor.subscribe('ledger.>', { max: 1 });
    await auditor.flush();
    await writer.publish('ledger.p1.plan.settled', 'plan.settled');
    for await (const message of live) assert.is(message.string(), 'plan.settled');
  });
});

test('an auditor reads stored dead letters; clients do not', async () => {
  await withServer(async (as) => {
    await jetstream(await as('service')).publish('dead.commands.alice.p1', 'a letter');
    const { direct } = await jetstreamManager(await as('auditor'), { checkAPI: false });
    assert.is((await direct.getMessage('DEAD', { last_by_subj: 'dead.>' }))?.string(), 'a letter');
    for (const user of ['edge', 'alice', 'operator'] as const) {
      const asked = (await as(user)).request('$JS.API.DIRECT.GET.DEAD', '{"last_by_subj":"dead.>"}', { timeout: 500 });
      assert.is(await refusal(asked), 'PermissionViolationError', user);
    }
  });
});

test('an auditor can write nothing, by a subject or by having an answer sent to one', async () => {
  await withServer(async (as) => {
    await jetstream(await as('service')).publish('ledger.p1.plan.submitted', 'an event worth copying');
    const auditor = await as('auditor');
    const forbidden = [
      'ledger.p1.plan.settled',
      'plans.submit',
      '$JS.API.STREAM.PURGE.LEDGER',
      '$JS.API.CONSUMER.CREATE.LEDGER.c',
    ];
    for (const subject of forbidden) {
      assert.is(await refusal(auditor.request(subject, '{}', { timeout: 500 })), 'PermissionViolationError', subject);
    }
    const read = '{"last_by_subj":"ledger.p1.>"}';
    const heard = auditor.subscribe('ledger.p1.copied', { max: 1 });
    auditor.publish('$JS.API.DIRECT.GET.LEDGER', read, { reply: 'ledger.p1.copied' });
    for await (const message of heard) assert.is(message.string(), 'an event worth copying', 'the answer was sent');
    await auditor.request('$JS.API.DIRECT.GET.LEDGER', read, { timeout: 5000 });
    assert.is(await ledgerMessages(as), 1);
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

test('a client hears of a commit only when the ledger has stored it', async () => {
  await withServer(async (as) => {
    const client = await as('edge');
    const heard = client.subscribe('ledger.p1.>', { max: 2 });
    await client.flush();
    const writer = jetstream(await as('service'));
    const expect = { lastSubjectSequence: 0, lastSubjectSequenceSubject: 'ledger.p1.>' };
    await writer.publish('ledger.p1.plan.submitted', 'first', { expect });
    const late = await refusal(writer.publish('ledger.p1.plan.submitted', 'lost its race', { expect }));
    assert.is(late, 'JetStreamApiError');
    await writer.publish('ledger.p1.plan.admitted', 'second');
    const bodies: string[] = [];
    for await (const message of heard) bodies.push(message.string());
    assert.equal(bodies, ['first', 'second']);
  });
});

test.run();
