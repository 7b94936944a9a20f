/** What a worker may say and hear on a real server, and how CORE reaches it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { NatsConnection } from '@nats-io/transport-node';
import * as assert from 'uvu/assert';
import { connectNats } from '../../shared/nats/connect.ts';
import { freeLoopbackPort } from '../../stack/process.ts';
import { runCli } from '../cli/run-cli.ts';
import { suite } from '../harness/suite.ts';
import { mayHear, withServer } from './accounts.ts';
import { natsBinary, withTempDir } from './fixture.ts';

const test = suite('stack nats accounts: workers');

/** Whether the server lets it be said: a refusal comes before the answer to the flush. */
async function maySay(connection: NatsConnection, subject: string): Promise<boolean> {
  let refused = false;
  const statuses = connection.status();
  void (async () => {
    for await (const status of statuses) refused ||= status.type === 'error';
  })();
  connection.publish(subject, '{}');
  await connection.flush();
  // Who follows the status hears of it in a turn of its own.
  await new Promise((resolve) => setImmediate(resolve));
  return !refused;
}

test('a worker hears questions and offers and nothing else, and says nothing but how its runs are', async () => {
  await withServer(async (as) => {
    const worker = await as('worker');
    for (const subject of ['$SRV.PING', '$SRV.INFO.count', 'workers.to.my.abc.offer', 'workers.all.my.find']) {
      assert.is(await mayHear(worker, subject), true, subject);
    }
    for (const subject of [
      '>',
      'workers.>',
      'workers.from.my.>',
      '_INBOX.>',
      '_R_.>',
      '$SRV.>',
      'ledger.>',
      'work.>',
    ]) {
      assert.is(await mayHear(worker, subject), false, subject);
    }
    assert.is(await maySay(worker, 'workers.from.my.abc.d'), true);
    for (const subject of [
      'workers.to.my.abc.offer',
      'workers.all.my.find',
      '$SRV.INFO',
      'plans.submit',
      'work.worker',
      'ledger.p1.plan.settled',
      'committed.ledger.p1.x',
      '$JS.API.STREAM.NAMES',
      '$JS.API.INFO',
    ]) {
      assert.is(await maySay(await as('worker'), subject), false, subject);
    }
  });
});

test('CORE asks one worker or all and has their answers; EDGE reaches none', async () => {
  await withServer(async (as) => {
    const [worker, core, edge] = [await as('worker'), await as('service'), await as('edge')];
    for (const subject of ['$SRV.INFO', 'workers.to.my.abc.offer', 'workers.all.my.find']) {
      worker.subscribe(subject, { callback: (_, message) => void message.respond(subject) });
      await worker.flush();
      const answer = await core.request(subject, '{}', { timeout: 30_000 });
      assert.is(answer.string(), subject);
      assert.is(await maySay(edge, subject), false, subject);
    }
    const told = core.subscribe('workers.from.*.abc.d1', { max: 1 });
    await core.flush();
    worker.publish('workers.from.my.abc.d1', 'over', { reply: 'ledger.p1.plan.settled' });
    for await (const message of told) assert.is(message.string(), 'over');
  });
});

test('a worker of one namespace hears nothing of another, and says nothing there', async () => {
  await withTempDir(async (dir) => {
    const port = await freeLoopbackPort();
    const { stdout: printed } = await runCli(['nats', 'config', 'my']);
    const file = path.join(dir, 'server.conf');
    await writeFile(file, `host: 127.0.0.1\nport: ${port}\nauthorization { users: [\n${printed}] }\n`);
    const env = { NATS_WORKER_MY_PASSWORD: 'secret' };
    const server = spawn(await natsBinary(), ['-c', file], { stdio: 'ignore', env });
    const ended = once(server, 'exit');
    const connections: NatsConnection[] = [];
    try {
      const url = `nats://worker-my:secret@127.0.0.1:${port}`;
      const my = await connectNats({ url, name: 'test-my', waitMs: 30_000 });
      connections.push(my);
      for (const [subject, may] of [
        ['workers.to.my.abc.offer', true],
        ['workers.all.my.find', true],
        ['workers.to.other.abc.offer', false],
        ['workers.to.*.abc.offer', false],
        ['workers.all.other.find', false],
      ] as const) {
        assert.is(await mayHear(my, subject), may, subject);
      }
      assert.is(await maySay(my, 'workers.from.my.abc.d'), true);
      assert.is(await maySay(my, 'workers.from.other.abc.d'), false);
    } finally {
      await Promise.all(connections.map((connection) => connection.close()));
      server.kill();
      await ended;
    }
  });
});

test.run();
