import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import * as assert from 'uvu/assert';
import type { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { connectNats } from '../../shared/nats/connect.ts';
import { suite } from '../harness/suite.ts';

const test = suite('connecting to NATS');

/** A server that answers the first greetings with these errors, and the next ones as a server does. */
async function serverThatSays(errors: readonly string[]) {
  let greetings = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.write('INFO {"server_id":"S","version":"2.15.1","max_payload":1048576,"proto":1,"headers":true}\r\n');
    socket.on('data', (data) => {
      if (!data.toString().includes('CONNECT')) return;
      const error = errors[greetings++];
      if (error === undefined) socket.write('PONG\r\n');
      else socket.end(`-ERR '${error}'\r\n`);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    url: `nats://127.0.0.1:${address.port}`,
    greetings: () => greetings,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

test('a greeting that came too late is tried again: it says nothing of the credentials', async () => {
  const server = await serverThatSays(['Authentication Timeout', 'Authentication Timeout']);
  try {
    const connection = await connectNats({ url: server.url, name: 'test' });
    assert.is(server.greetings(), 3);
    await connection.close();
  } finally {
    server.close();
  }
});

test('refused credentials are told at once', async () => {
  const server = await serverThatSays(['Authorization Violation']);
  try {
    const error = await connectNats({ url: server.url, name: 'test', waitMs: 60_000 }).catch(
      (thrown) => thrown as IsomorphError,
    );
    assert.is((error as IsomorphError).code, 'ERR_CONFIG');
    assert.is(server.greetings(), 1);
  } finally {
    server.close();
  }
});

test.run();
