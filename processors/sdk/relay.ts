/**
 * The inner end of the network grant (docs/adr/0013): in a container without any network, listens on the very loopback
 * address of each granted endpoint and passes what comes on to the socket that stands for it. So URLs that were made for
 * the host work unchanged, and nothing else is reachable. Imports nothing but Node; runs as a module of its own, too.
 */
import { readFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

/** Where the runtime binds the sockets. */
const FOLDER = '/run/isomorph';

/** One entry of `endpoints.json`. */
interface Endpoint {
  readonly host: string;
  readonly port: number;
  /** File name of its socket. */
  readonly socket: string;
}

function endpoints(): readonly Endpoint[] {
  try {
    return JSON.parse(readFileSync(path.join(FOLDER, 'endpoints.json'), 'utf8')) as Endpoint[];
  } catch (error) {
    // Nothing was granted.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function join(inner: Socket, outer: Socket): void {
  inner.pipe(outer).pipe(inner);
  // The other side learns of a broken connection by its own being broken.
  inner.on('error', () => outer.destroy()).on('close', () => outer.destroy());
  outer.on('error', () => inner.destroy()).on('close', () => inner.destroy());
}

const isLoopback = (host: string): boolean => host.startsWith('127.') || host === '::1';

function listen({ host, port, socket }: Endpoint): Promise<void> {
  const server = createServer({ allowHalfOpen: true }, (inner) => {
    join(inner, connect({ path: path.join(FOLDER, socket), allowHalfOpen: true }));
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // A name stands for 127.0.0.1 in this container.
    server.listen(port, isLoopback(host) ? host : '127.0.0.1', () => {
      server.unref();
      resolve();
    });
  });
}

/** Listens for every granted endpoint; keeps no process alive. */
export async function startRelay(): Promise<void> {
  await Promise.all(endpoints().map(listen));
}

/** As a program of its own: says so when it listens, and stays until its standard input ends. */
if (
  import.meta.url === pathToFileURL(process.argv[1] ?? '').href &&
  path.basename(process.argv[1] ?? '') === 'relay.mjs'
) {
  await startRelay();
  process.stdout.write('listening\n');
  process.stdin.resume();
}
