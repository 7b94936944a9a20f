/**
 * The inner end of the network grant (docs/adr/0013): in a container that has no network, listens on the very loopback
 * address of each granted endpoint and passes what comes on to the socket that stands for it. So URLs that were made for
 * the host work unchanged, and nothing else is reachable. Imports nothing but Node.
 */
import { readFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import path from 'node:path';

/** Where the runtime binds the sockets. */
const FOLDER = '/run/isomorph';

/** One entry of `endpoints.json`. */
interface Endpoint {
  /** A loopback address; names stand for one in the container's hosts file. */
  readonly address: string;
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

/** Either side learns of the other's broken connection by its own being broken. */
function join(inner: Socket, outer: Socket): void {
  inner.pipe(outer).pipe(inner);
  inner.on('error', () => outer.destroy()).on('close', () => outer.destroy());
  outer.on('error', () => inner.destroy()).on('close', () => inner.destroy());
}

function listen({ address, port, socket }: Endpoint): Promise<void> {
  const server = createServer({ allowHalfOpen: true }, (inner) => {
    join(inner, connect({ path: path.join(FOLDER, socket), allowHalfOpen: true }));
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, () => {
      server.unref();
      resolve();
    });
  });
}

/** Listens for every granted endpoint; by itself it keeps no process alive. */
export async function startRelay(): Promise<void> {
  await Promise.all(endpoints().map(listen));
}
