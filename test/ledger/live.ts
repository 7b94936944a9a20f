/** A real nats-server with the streams of Isomorph, and a proxy that can lose what it says. */

import { once } from 'node:events';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import type { NatsConnection } from '@nats-io/transport-node';
import { ensureTopology } from '../../services/setup/topology.ts';
import { connectNats } from '../../shared/nats/connect.ts';
import { type NatsServerHandle, startNatsServer } from '../../stack/nats/server.ts';
import { gone, natsBinary, withTempDir } from '../stack/fixture.ts';

export interface Live {
  /** A new connection of a service; closed with the server. `via` is the port of a proxy. */
  connect(via?: number): Promise<NatsConnection>;
  /** One that may make and unmake streams. */
  connectAdmin(): Promise<NatsConnection>;
  readonly port: number;
  /** SIGKILL, and a new server on the same port and files. Resolves when it is ready. */
  killAndRestart(): Promise<void>;
}

/** Runs with a server of its own. */
export async function withLive(use: (live: Live) => Promise<void>): Promise<void> {
  await withTempDir(async (dir) => {
    const binary = await natsBinary();
    let server: NatsServerHandle = await startNatsServer({ binary, dir });
    const { port, credentials } = server;
    const connections: NatsConnection[] = [];
    const open = async (user: 'admin' | 'service', via = port): Promise<NatsConnection> => {
      const { user: name, pass } = credentials[user];
      const connection = await connectNats({ url: `nats://${name}:${pass}@127.0.0.1:${via}`, name: 'test' });
      connections.push(connection);
      return connection;
    };
    try {
      await ensureTopology(await open('admin'));
      await use({
        connect: (via) => open('service', via),
        connectAdmin: () => open('admin'),
        port,
        async killAndRestart() {
          process.kill(server.pid, 'SIGKILL');
          await gone(server.pid);
          server = await startNatsServer({ binary, dir, port });
        },
      });
    } finally {
      await Promise.all(connections.map((connection) => connection.close()));
      await server.stop();
    }
  });
}

/** What a proxy does to the next publish to the ledger and to everything behind it, until it is cut. */
type Mischief = 'lose answers' | 'lose publishes' | 'hold publishes';

/** Between a client and the server. */
export class LossyProxy {
  readonly #server: Server;
  readonly #port: number;
  readonly #clients = new Set<Socket>();
  readonly #servers = new Set<Socket>();
  #doing: Mischief | undefined;
  #armed: Mischief | undefined;
  #onCaught: () => void = () => undefined;
  #held: (() => void) | undefined;
  #onRetry: (() => Promise<void>) | undefined;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.#port = port;
    server.on('connection', (client) => this.#relay(client));
  }

  static async before(port: number): Promise<LossyProxy> {
    const server = createServer();
    const proxy = new LossyProxy(server, port);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Resolves when that publish has come by. */
  atNextPublish(mischief: Mischief): Promise<void> {
    this.#armed = mischief;
    return new Promise((resolve) => {
      this.#onCaught = resolve;
    });
  }

  /** Cuts every connection of the client; the next ones work. What is held still has its way to the server. */
  cut(): void {
    this.#doing = undefined;
    this.#armed = undefined;
    for (const socket of this.#clients) socket.destroy();
  }

  /** When the client publishes again, what was held arrives first: `arrived` says when. */
  deliverHeldBeforeRetry(arrived: () => Promise<void>): void {
    this.#onRetry = async () => {
      this.#held?.();
      await arrived();
    };
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.cut();
    for (const socket of this.#servers) socket.destroy();
    await closed;
  }

  #relay(client: Socket): void {
    const server = dial(this.#port, '127.0.0.1');
    // A cut is what these tests do: what it breaks is told by the client.
    for (const socket of [client, server]) socket.on('error', () => undefined);
    this.#clients.add(client);
    this.#servers.add(server);
    let holding = false;
    client.on('close', () => {
      this.#clients.delete(client);
      if (!holding) server.destroy();
    });
    server.on('close', () => {
      this.#servers.delete(server);
      client.destroy();
    });
    client.on('data', (chunk) => {
      const publishes = chunk.includes('PUB ledger.');
      if (this.#armed !== undefined && publishes) {
        this.#doing = this.#armed;
        this.#onCaught();
      }
      const onRetry = publishes && this.#doing === undefined ? this.#onRetry : undefined;
      if (onRetry !== undefined) {
        this.#onRetry = undefined;
        client.pause();
        void onRetry().then(() => {
          server.write(chunk);
          client.resume();
        });
      } else if (this.#doing === 'hold publishes') {
        if (publishes) this.#held = () => server.write(chunk);
        holding ||= publishes;
      } else if (this.#doing !== 'lose publishes') server.write(chunk);
    });
    server.on('data', (chunk) => {
      if (this.#doing !== 'lose answers' && !client.destroyed) client.write(chunk);
    });
  }
}
