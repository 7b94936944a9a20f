import { once } from 'node:events';
import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import * as assert from 'uvu/assert';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { durabilityFault } from '../../stack/nats/readiness.ts';
import { type NatsServerHandle, startNatsServer } from '../../stack/nats/server.ts';
import { type ChildEnd, isAlive } from '../../stack/process.ts';
import { suite } from '../harness/suite.ts';
import { gone, natsBinary, startParent, withTempDir } from './fixture.ts';

const test = suite('stack nats server');

const asAdmin = ({ url, credentials }: NatsServerHandle) => connect({ servers: url, ...credentials.admin });

async function append(server: NatsServerHandle, text: string): Promise<void> {
  const connection = await asAdmin(server);
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name: 'LEDGER', subjects: ['ledger.>'], allow_direct: true });
  await jetstream(connection).publish('ledger.p1.plan.submitted', text);
  await connection.close();
}

async function firstStored(server: NatsServerHandle): Promise<string | undefined> {
  const connection = await asAdmin(server);
  const { direct } = await jetstreamManager(connection);
  const message = await direct.getMessage('LEDGER', { seq: 1 });
  await connection.close();
  return message?.string();
}

async function thrownBy(attempt: Promise<unknown>): Promise<IsomorphError> {
  const thrown: unknown = await attempt.then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.instance(thrown, IsomorphError);
  return thrown as IsomorphError;
}

test('messages, ports and passwords stay over a stop and a start', async () => {
  await withTempDir(async (dir) => {
    const binary = await natsBinary();
    const first = await startNatsServer({ binary, dir });
    await append(first, 'kept');
    await first.stop();
    assert.not(await isAlive(first.pid));
    const second = await startNatsServer({ binary, dir });
    try {
      assert.is(await firstStored(second), 'kept');
      assert.equal(
        [second.url, second.monitorUrl, second.credentials],
        [first.url, first.monitorUrl, first.credentials],
      );
    } finally {
      await second.stop();
    }
  });
});

test('an acknowledged message survives a SIGKILL, which is reported to the owner', async () => {
  await withTempDir(async (dir) => {
    const binary = await natsBinary();
    let reportEnd: (end: ChildEnd) => void = () => undefined;
    const reported = new Promise<ChildEnd>((resolve) => {
      reportEnd = resolve;
    });
    const first = await startNatsServer({ binary, dir, onExit: reportEnd });
    await append(first, 'acknowledged');
    process.kill(first.pid, 'SIGKILL');
    assert.equal(await reported, { code: null, signal: 'SIGKILL' });
    const second = await startNatsServer({
      binary,
      dir,
      onExit: () => assert.unreachable('a stop was reported as an exit'),
    });
    assert.is(await firstStored(second), 'acknowledged');
    await second.stop();
  });
});

test('it syncs every write, listens on loopback only and keeps its secrets to its owner', async () => {
  await withTempDir(async (dir) => {
    const server = await startNatsServer({ binary: await natsBinary(), dir });
    try {
      const varz = (await (await fetch(`${server.monitorUrl}/varz`)).json()) as Record<string, unknown> & {
        jetstream: { config: Record<string, unknown> };
      };
      assert.is(varz.jetstream.config.sync_always, true);
      assert.is(varz.host, '127.0.0.1');
      assert.is(varz.http_host, '127.0.0.1');
      assert.is(varz.max_payload, 1024 * 1024);
      for (const name of ['server.conf', 'passwords.json', 'nats-server.log']) {
        assert.is((await stat(join(dir, name))).mode & 0o077, 0, name);
      }
    } finally {
      await server.stop();
    }
  });
});

test('a server that is not durable is not taken for ready', () => {
  const durable = { jetstream: { config: { sync_always: true } } };
  assert.is(durabilityFault(durable, { streams: 0 }), undefined);
  assert.match(durabilityFault(durable, { disabled: true }) ?? '', 'JetStream is off');
  assert.match(durabilityFault({ jetstream: { config: {} } }, {}) ?? '', 'does not sync');
  assert.match(durabilityFault({}, {}) ?? '', 'does not sync');
});

test('when the port of the last time is taken, another is used; a wanted port is insisted on', async () => {
  await withTempDir(async (dir) => {
    const binary = await natsBinary();
    const first = await startNatsServer({ binary, dir });
    await first.stop();
    const squatter = createServer().listen(first.port, '127.0.0.1');
    await once(squatter, 'listening');
    try {
      const error = await thrownBy(startNatsServer({ binary, dir, port: first.port }));
      assert.is(error.code, 'ERR_CONFIG');
      assert.match(error.message, `port ${first.port} of 127.0.0.1 is taken`);
      const second = await startNatsServer({ binary, dir });
      assert.is.not(second.port, first.port);
      await second.stop();
    } finally {
      squatter.close();
    }
  });
});

test('a server that does not start says so with the end of its log', async () => {
  await withTempDir(async (dir) => {
    const first = await startNatsServer({ binary: await natsBinary(), dir });
    await first.stop();
    const error = await thrownBy(startNatsServer({ binary: '/bin/false', dir }));
    assert.is(error.code, 'ERR_UNAVAILABLE');
    assert.match(error.message, 'Server Exiting', 'the log is shown');
    assert.match(await readFile(join(dir, 'nats-server.log'), 'utf8'), 'Server is ready');
    assert.is((await thrownBy(startNatsServer({ binary: join(dir, 'none'), dir }))).code, 'ERR_CONFIG');
  });
});

test('a parent that exits takes its server along', async () => {
  await withTempDir(async (dir) => {
    const parent = await startParent('nats', dir);
    assert.ok(await isAlive(parent.serverPid));
    await parent.exit();
    await gone(parent.serverPid);
  });
});

test('the server of a killed parent is ended by the next start in its folder, and by no other', async () => {
  await withTempDir(async (dir) => {
    const binary = await natsBinary();
    const parent = await startParent('nats', join(dir, 'a'));
    await parent.kill();
    const other = await startNatsServer({ binary, dir: join(dir, 'b') });
    await other.stop();
    assert.ok(await isAlive(parent.serverPid), 'a server of another folder is left alone');
    const next = await startNatsServer({ binary, dir: join(dir, 'a') });
    assert.not(await isAlive(parent.serverPid));
    await next.stop();
  });
});

test.run();
