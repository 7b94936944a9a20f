/** A server with the accounts of a deployment, and connections of its users. */
import { jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { ensureTopology } from '../../services/setup/topology.ts';
import { type NatsLogin, type NatsServerHandle, startNatsServer } from '../../stack/nats/server.ts';
import { natsBinary, withTempDir } from './fixture.ts';

type User = 'admin' | 'service' | 'auditor' | 'worker' | 'edge' | 'operator' | 'alice' | 'bob';

/** A server with the streams that matter here, and connections of its users. */
export async function withServer(
  use: (as: (user: User) => Promise<NatsConnection>, server: NatsServerHandle) => Promise<void>,
) {
  await withTempDir(async (dir) => {
    const server = await startNatsServer({ binary: await natsBinary(), dir, principals: ['alice', 'bob'] });
    const logins = { ...server.credentials, ...server.principals } as Record<string, NatsLogin>;
    const connections: NatsConnection[] = [];
    const as = async (user: User): Promise<NatsConnection> => {
      const login = user === 'edge' ? {} : logins[user];
      const connection = await connect({ servers: server.url, ...login });
      connections.push(connection);
      return connection;
    };
    try {
      await ensureTopology(await as('admin'));
      await use(as, server);
    } finally {
      await Promise.all(connections.map((connection) => connection.close()));
      await server.stop();
    }
  });
}

export const ledgerMessages = async (as: (user: User) => Promise<NatsConnection>): Promise<number> =>
  (await (await jetstreamManager(await as('admin'))).streams.info('LEDGER')).state.messages;

/** What the server says to this connection when it refuses a subject. */
export async function refusal(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
  } catch (thrown) {
    // A request wraps what the server said.
    const said = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown;
    return said instanceof Error ? said.name : String(said);
  }
  return 'nothing was refused';
}

/** Whether the user may subscribe. The server refuses before it answers the flush. */
export async function mayHear(connection: NatsConnection, subject: string): Promise<boolean> {
  let refused = false;
  const subscription = connection.subscribe(subject, {
    callback: (error) => {
      refused ||= error !== null;
    },
  });
  await connection.flush();
  subscription.unsubscribe();
  return !refused;
}
