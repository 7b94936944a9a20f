/** Connections of containers that the dispatcher passes on are bounded, and who is quiet gives way to who is not. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import * as assert from 'uvu/assert';
import type { LimitNotice } from '../../shared/async/limit-notice.ts';
import { Relayed } from '../../shared/runtime/drivers/local/relayed.ts';
import { suite } from '../harness/suite.ts';

const test = suite('runtime local, relayed connections');

async function listening(onConnection: (socket: Socket) => void): Promise<{ server: Server; port: number }> {
  const server = createServer({ allowHalfOpen: true }, onConnection).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

async function opened(port: number): Promise<{ socket: Socket; ended: Promise<unknown> }> {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  const ended = once(socket, 'close');
  await once(socket, 'connect');
  return { socket, ended };
}

/** What comes back of what is said. */
async function echoed(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  const [answer] = await once(socket, 'data');
  return String(answer);
}

test('whoever comes gets through while others hold all connections there may be and say nothing', async () => {
  const behind = await listening((socket) => socket.on('error', () => undefined).pipe(socket));
  const notices: LimitNotice[] = [];
  const relayed = new Relayed({ most: 4, tell: (notice) => void notices.push(notice) });
  const relay = await listening((inner) => relayed.join(inner, connect(behind.port, '127.0.0.1')));
  const busy = await opened(relay.port);
  assert.is(await echoed(busy.socket, 'first'), 'first');
  const quiet = [];
  for (let index = 0; index < 10; index++) {
    quiet.push(await opened(relay.port));
    assert.is(await echoed(busy.socket, 'still'), 'still');
  }
  await Promise.all(quiet.slice(0, 7).map(({ ended }) => ended));
  const { socket } = await opened(relay.port);
  assert.is(await echoed(socket, 'last'), 'last');
  assert.ok(relayed.size <= 4);
  assert.ok(notices.some(({ limit, used, most }) => limit === 'relay_connections' && used > most));
  for (const one of [busy, ...quiet]) one.socket.destroy();
  socket.destroy();
  relay.server.close();
  behind.server.close();
});

test.run();
