import pg from 'pg';
import { type Opened, type Opening, required } from '../common/opening.ts';
import { startProjector } from './service.ts';
import { tellOfSilence } from './silence.ts';

const CONNECT_TIMEOUT_MS = 10_000;

/** A host that is no more says nothing: while a statement waits for its answer, TCP asks whether it is there. */
const KEEP_ALIVE = { keepAlive: true, keepAliveInitialDelayMillis: 10_000 } as const;

/** The projector as its configuration says. */
export async function start(opening: Opening): Promise<Opened> {
  const { config, deps } = opening;
  const pool = new pg.Pool({
    connectionString: required(config.databaseUrl, 'DATABASE_URL'),
    max: 2,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    ...KEEP_ALIVE,
  });
  // A lost idle connection is replaced by the pool; without a listener it would end the process.
  pool.on('error', (error) => deps.log.warn({ err: error }, 'a Postgres connection was lost'));
  tellOfSilence(pool, deps.log);
  opening.keep({ close: () => pool.end() });
  return startProjector({ ...deps, pool, store: await opening.store() });
}
