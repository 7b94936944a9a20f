import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import { available } from './detect.ts';
import { type RunningServer, startServer } from './running.ts';

const ANSWER_TIMEOUT_MS = 1000;

/** One PING, without a client library: a test of a driver must not need the driver to get its server. */
function ping(url: string): Promise<void> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write('PING\r\n'));
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy(new Error('no answer')));
    socket.once('error', reject);
    socket.once('data', (answer) => {
      socket.destroy();
      if (answer.toString().startsWith('+PONG')) resolve();
      else reject(new Error(answer.toString()));
    });
  });
}

/**
 * A Redis of its own on loopback, empty, nothing kept on the disk.
 * @param extraArgs further arguments of redis-server, as `--maxmemory 10mb`.
 * @throws Error when there is no redis-server; ask `available('redis-server')` first.
 */
export async function startRedis(extraArgs: readonly string[] = []): Promise<RunningServer> {
  const server = await available('redis-server');
  if (!server.ok) throw new Error(server.reason);
  return startServer({
    name: 'redis',
    spawn: async (dir, port) => {
      const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', dir, '--save', '', '--appendonly', 'no'];
      return spawn(server.path, [...args, ...extraArgs], { stdio: ['ignore', 'pipe', 'pipe'] });
    },
    url: (port) => `redis://127.0.0.1:${port}`,
    probe: ping,
    stopSignal: 'SIGTERM',
  });
}
