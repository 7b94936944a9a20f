/** The Postgres of the embedded stack: the one that `DATABASE_URL` names, else PGlite. */
import pg from 'pg';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import type { ChildEnd } from '../process.ts';
import { startPglite } from './pglite.ts';

export interface PostgresHandle {
  readonly url: string;
  readonly source: 'DATABASE_URL' | 'pglite';
  /** Of the server that was started here; undefined for a server of somebody else. */
  readonly pid: number | undefined;
  /** Ends what was started here; a server of `DATABASE_URL` is left alone. Safe to call again. */
  stop(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 10_000;

/**
 * @param options.dir the folder of PGlite; not touched when `DATABASE_URL` is set.
 * @throws IsomorphError `ERR_CONFIG` when `DATABASE_URL` is no Postgres URL, `ERR_UNAVAILABLE` when no server answers there
 *   or PGlite does not start. No message holds the URL, which may hold a password.
 */
export async function openPostgres(options: {
  env: Readonly<Record<string, string | undefined>>;
  dir: string;
  /** Of PGlite: this or none. */
  port?: number;
  onExit?: (end: ChildEnd) => void;
}): Promise<PostgresHandle> {
  const url = options.env.DATABASE_URL;
  if (url === undefined || url === '') {
    const { env: _, ...pglite } = options;
    const started = await startPglite(pglite);
    return { url: started.url, source: 'pglite', pid: started.pid, stop: started.stop };
  }
  await requireAnswer(url);
  return { url, source: 'DATABASE_URL', pid: undefined, stop: async () => undefined };
}

async function requireAnswer(url: string): Promise<void> {
  const place = { pointer: 'DATABASE_URL', expected: 'postgres://user:password@host:port/database' };
  if (!URL.canParse(url) || !/^postgres(ql)?:\/\//.test(url)) {
    throw new IsomorphError('ERR_CONFIG', 'DATABASE_URL is no Postgres URL', place);
  }
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  try {
    await client.connect();
    await client.query('select 1');
  } catch (thrown) {
    const { host } = new URL(url);
    const reason = thrown instanceof Error ? thrown.message || thrown.name : String(thrown);
    throw new IsomorphError(
      'ERR_UNAVAILABLE',
      `the Postgres of DATABASE_URL (${host}) does not answer: ${reason}`,
      place,
      thrown,
    );
  } finally {
    await client.end();
  }
}
