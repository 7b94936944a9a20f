/** A nats-server with the streams of Isomorph, for the suites of the nats drivers. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureTopology } from '../../services/setup/topology.ts';
import { connectNats } from '../../shared/nats/connect.ts';
import { type NatsLogin, type NatsServerHandle, startNatsServer } from '../../stack/nats/server.ts';
import { isPortFree } from '../../stack/process.ts';
import { natsBinary } from '../stack/fixture.ts';

const withLogin = (url: string, { user, pass }: NatsLogin): string => {
  const parsed = new URL(url);
  parsed.username = user;
  parsed.password = pass;
  return parsed.href;
};

/** Started once a suite; drivers use it as a service does, who may not create streams. */
export class NatsForTests {
  #dir = '';
  #server: NatsServerHandle | undefined;

  /** As a service logs in. */
  get url(): string {
    const server = this.#running();
    return withLogin(server.url, server.credentials.service);
  }

  async start(): Promise<void> {
    this.#dir = await mkdtemp(join(tmpdir(), 'isomorph-scratch-'));
    this.#server = await startNatsServer({ binary: await natsBinary(), dir: this.#dir });
    const admin = await connectNats({
      url: this.adminUrl,
      name: 'admin',
    });
    await ensureTopology(admin);
    await admin.close();
  }

  /** Who may create streams. */
  get adminUrl(): string {
    const server = this.#running();
    return withLogin(server.url, server.credentials.admin);
  }

  /** SIGKILL, and the same server again. */
  async restart(): Promise<void> {
    const { port, pid } = this.#running();
    process.kill(pid, 'SIGKILL');
    // The folder tells the next one what is left over of this one.
    this.#server = await startNatsServer({ binary: await natsBinary(), dir: this.#dir, port: await freed(port) });
  }

  async stop(): Promise<void> {
    await this.#server?.stop();
    await rm(this.#dir, { recursive: true, force: true });
  }

  #running(): NatsServerHandle {
    if (this.#server === undefined) throw new Error('the server was not started');
    return this.#server;
  }
}

async function freed(port: number): Promise<number> {
  while (!(await isPortFree(port))) await new Promise((resolve) => setTimeout(resolve, 10));
  return port;
}
