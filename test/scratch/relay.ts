/** What is between a client and its server, for tests of what networks do. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** Passes bytes on; can swallow an answer and break the connection instead, as a network does. */
export class Relay {
  targetPort = 0;
  cutsAnswers = false;
  /** Answers are lost, and the connection stays. */
  isSilent = false;
  #isAway = false;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor() {
    this.#server = createServer((client) => {
      if (this.#isAway) {
        client.destroy();
        return;
      }
      const upstream = connect(this.targetPort, '127.0.0.1');
      for (const [from, to] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        this.#sockets.add(from);
        from.on('data', (data) => {
          if (from === upstream && this.isSilent) return;
          if (from === upstream && this.cutsAnswers) client.destroy();
          else to.write(data);
        });
        from.on('error', () => to.destroy());
        from.on('close', () => to.destroy());
      }
    });
  }

  /** Answers its host and port. */
  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Breaks every connection and makes none while `during` runs. */
  async outage(during: () => Promise<void>): Promise<void> {
    this.#isAway = true;
    for (const socket of this.#sockets) socket.destroy();
    await during();
    this.#isAway = false;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
