import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import * as assert from 'uvu/assert';
import { ServiceProcess } from '../harness/service-process.ts';
import { startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';

const test = suite('a service that is up before its server');

let its: TestStack;
test.before(async () => {
  its = await startTestStack({ services: [] });
});
test.after(() => its.stop());

async function listening(server: Server, port: number): Promise<number> {
  await once(server.listen(port, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

/** A port where nobody answers. */
async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listening(server, 0);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** NATS answers at `port` from now on. */
async function answerAt(port: number, url: URL): Promise<() => Promise<void>> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    const onward = connect(Number(url.port), url.hostname);
    for (const one of [socket, onward]) sockets.add(one.on('error', () => undefined));
    socket.pipe(onward).pipe(socket);
  });
  await listening(server, port);
  return async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
}

const AWAY = 'what is needed at the start is away; it is tried again';
const settlerAt = (port: number): ServiceProcess => {
  const url = new URL(its.stack.info.nats.serviceUrl);
  url.port = String(port);
  return new ServiceProcess('settler', { ...its.stack.serviceEnv, NATS_URL: url.href });
};

test('it says so once, waits, and starts when the server answers', async () => {
  const port = await freePort();
  const service = settlerAt(port);
  await service.logged((line) => line.includes(AWAY));
  const close = await answerAt(port, new URL(its.stack.info.nats.serviceUrl));
  try {
    const lines = await service.logged((line) => line.includes('"started"'));
    assert.is(lines.filter((line) => line.includes('"started"')).length, 1);
    assert.is(service.hasEndedByItself, false);
  } finally {
    await service.stop();
    await close();
  }
});

test('it ends when it is told to, also while it waits', async () => {
  const service = settlerAt(await freePort());
  await service.logged((line) => line.includes(AWAY));
  await service.stop();
});

test.run();
