/** Real servers for the tests of this area: a fresh nats-server and World a test, one PGlite for all of a file. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { NatsConnection } from '@nats-io/transport-node';
import pg from 'pg';
import { pino } from 'pino';
import { type Projection, startProjector } from '../../services/projector/service.ts';
import { ensureTopology } from '../../services/setup/topology.ts';
import { Journal } from '../../shared/journal/journal.ts';
import type { ForeignMessage } from '../../shared/journal/snapshot.ts';
import { LEDGER_WRITERS, type LedgerWriter } from '../../shared/ledger/events.ts';
import { connectNats } from '../../shared/nats/connect.ts';
import type { ArtifactStore } from '../../shared/world/artifact-store.ts';
import { openFileStore } from '../../shared/world/drivers/file/file.ts';
import { type NatsLogin, type NatsServerHandle, startNatsServer } from '../../stack/nats/server.ts';
import { type PgliteHandle, startPglite } from '../../stack/postgres/pglite.ts';
import { natsBinary } from '../stack/fixture.ts';
import { Author } from './ledger-fixture.ts';

function poolOf(url: string): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, max: 2 });
  pool.on('error', () => undefined);
  return pool;
}

const urlFor = ({ user, pass }: NatsLogin, { url }: NatsServerHandle): string =>
  url.replace('//', `//${user}:${pass}@`);

const connectAs = (login: NatsLogin, nats: NatsServerHandle): Promise<NatsConnection> =>
  connectNats({ url: urlFor(login, nats), name: 'test' });

async function reconnected(connection: NatsConnection): Promise<void> {
  for await (const { type } of connection.status()) if (type === 'reconnect') return;
}

export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** Levels of pino. */
export const WARN = 40;
export const FATAL = 60;

export interface TestWorld {
  readonly connection: NatsConnection;
  readonly pool: pg.Pool;
  readonly store: ArtifactStore;
  /** Of the World: an artifact lies at its path below it. */
  readonly folder: string;
  readonly author: Author;
  readonly logged: readonly LogLine[];
  readonly foreign: ForeignMessage[];
  /** Ended with the world, if it was not before. */
  startProjector(changed?: { readonly pool?: pg.Pool; readonly store?: ArtifactStore }): Promise<Projection>;
  /** Another pool on the same database. */
  newPool(): pg.Pool;
  /** With these variables a service of its own process joins. */
  readonly env: Readonly<Record<string, string>>;
  restartNats(): Promise<void>;
  restartPostgres(): Promise<void>;
  query<T extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<T[]>;
  /** Returns once the projector is there; the test's own timeout bounds it. */
  projectedTo(streamSeq: number): Promise<void>;
}

export interface Postgres {
  /** Ends the server and starts it again on the same port. */
  restart(): Promise<void>;
  readonly url: string;
  stop(): Promise<void>;
}

export async function startTestPostgres(): Promise<Postgres> {
  const dir = await mkdtemp(join(tmpdir(), 'isomorph-projector-'));
  let handle: PgliteHandle = await startPglite({ dir });
  const { port, url } = handle;
  return {
    url,
    async restart() {
      await handle.stop();
      handle = await startPglite({ dir, port });
    },
    async stop() {
      await handle.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** Runs with an empty ledger, an empty World and a database without the schema. */
export async function withWorld(postgres: Postgres, use: (world: TestWorld) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'isomorph-projector-'));
  const start = async (): Promise<NatsServerHandle> =>
    startNatsServer({ binary: await natsBinary(), dir: join(dir, 'nats') });
  let nats = await start();
  const admin = await connectAs(nats.credentials.admin, nats);
  await ensureTopology(admin);
  await admin.close();
  const connection = await connectAs(nats.credentials.service, nats);
  const folder = join(dir, 'world');
  const store = await openFileStore(pathToFileURL(folder));
  const pools = [poolOf(postgres.url)];
  const [pool] = pools as [pg.Pool];
  await pool.query('drop schema if exists isomorph cascade');
  const logged: LogLine[] = [];
  const log = pino({ base: null }, { write: (line: string) => void logged.push(JSON.parse(line)) });
  const foreign: ForeignMessage[] = [];
  const onForeign = (message: ForeignMessage) => void foreign.push(message);
  const query = async <T extends pg.QueryResultRow>(text: string, values?: unknown[]) =>
    (await pool.query<T>(text, values)).rows;
  const deps = { connection, pool, store, log, nowMs: Date.now, onForeign };
  const projections: Projection[] = [];
  const journals = new Map(LEDGER_WRITERS.map((by) => [by, new Journal({ connection, by })]));
  const journalOf = (by: LedgerWriter): Journal => journals.get(by) ?? new Journal({ connection, by });
  try {
    await use({
      connection,
      pool,
      store,
      folder,
      author: new Author(journalOf, store),
      logged,
      foreign,
      newPool() {
        const another = poolOf(postgres.url);
        pools.push(another);
        return another;
      },
      async startProjector(changed = {}) {
        const projection = await startProjector({ ...deps, ...changed });
        projections.push(projection);
        return projection;
      },
      env: {
        NATS_URL: urlFor(nats.credentials.service, nats),
        DATABASE_URL: postgres.url,
        ARTIFACTS_URL: pathToFileURL(folder).href,
        ISOMORPH_HOME: dir,
      },
      async restartNats() {
        const back = reconnected(connection);
        await nats.stop();
        nats = await start();
        await back;
      },
      restartPostgres: () => postgres.restart(),
      query,
      async projectedTo(streamSeq) {
        for (;;) {
          const rows = await query<{ stream_seq: string }>('select stream_seq from isomorph.position').catch(() => []);
          if (Number(rows[0]?.stream_seq ?? 0) >= streamSeq) return;
          await delay(10);
        }
      },
    });
  } finally {
    await Promise.all(projections.map((projection) => projection.stop()));
    for (const one of pools) await one.end();
    await connection.close();
    await nats.stop();
    await rm(dir, { recursive: true, force: true });
  }
}
