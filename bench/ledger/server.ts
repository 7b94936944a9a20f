/** A bare nats-server with the ledger's stream alone, whose disk is synced on every write or as the server would by itself. */
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { connectNats } from '../../shared/nats/connect.ts';
import { LEDGER_STREAM } from '../../shared/wire/ledger.ts';
import { STREAMS } from '../../shared/wire/streams.ts';
import { type RunningServer, startServer } from '../../test/harness/servers/running.ts';
import { natsBinary } from '../../test/stack/fixture.ts';

export type SyncMode = 'sync' | 'default';

export interface LedgerServer {
  connect(name: string): Promise<NatsConnection>;
  stop(): Promise<void>;
}

const config = (dir: string, port: number, mode: SyncMode): string => `
  host: 127.0.0.1, port: ${port}
  jetstream { store_dir: ${JSON.stringify(join(dir, 'data'))}${mode === 'sync' ? ', sync_interval: always' : ''} }`;

export async function startLedgerServer(mode: SyncMode): Promise<LedgerServer> {
  const binary = await natsBinary();
  const server: RunningServer = await startServer({
    name: 'nats',
    async spawn(dir, port) {
      const file = join(dir, 'server.conf');
      await writeFile(file, config(dir, port, mode));
      return spawn(binary, ['-c', file]);
    },
    url: (port) => `nats://127.0.0.1:${port}`,
    async probe(url) {
      await (await connectNats({ url, name: 'probe' })).close();
    },
    stopSignal: 'SIGTERM',
  });
  const connections: NatsConnection[] = [];
  const connect = async (name: string): Promise<NatsConnection> => {
    const connection = await connectNats({ url: server.url, name });
    connections.push(connection);
    return connection;
  };
  const { streams } = await jetstreamManager(await connect('setup'), { checkAPI: false });
  const spec = STREAMS.find(({ name }) => name === LEDGER_STREAM);
  if (spec === undefined) throw new Error('the ledger has no stream');
  await streams.add({ storage: 'file', num_replicas: 1, ...spec });
  return {
    connect,
    async stop() {
      await Promise.all(connections.map((connection) => connection.close()));
      await server.stop();
    },
  };
}
