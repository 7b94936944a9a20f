import type pg from 'pg';

/**
 * Runs statements in one transaction; any error rolls it back. Whether a commit whose connection broke took effect is
 * not known: the caller must be able to find out.
 */
export async function transaction<T>(pool: pg.Pool, run: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken = false;
  // A connection that breaks between two statements tells of it here, and again at the next statement.
  const onError = () => {
    broken = true;
  };
  client.on('error', onError);
  try {
    await client.query('begin');
    const result = await run(client);
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch(onError);
    throw error;
  } finally {
    // One that is thrown away may still tell of its end, and an error that nobody listens to ends the process.
    if (!broken) client.off('error', onError);
    client.release(broken);
  }
}

/** SQLSTATE classes of a server that is not (yet, or any more) able to serve: connection, resources, operator, rollback. */
const PASSING_CLASSES = new Set(['08', '40', '53', '55', '57', '58']);

/** Errors that the client makes itself carry no code. */
const CLIENT_ERRORS = /connection (terminated|error)|timeout/i;

/** Whether an error of `pg` says that the server could not be reached or was busy, rather than that something is wrong. */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  if (code === undefined) return CLIENT_ERRORS.test(error.message);
  const isSqlState = /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]{4}$/.test(code);
  return !isSqlState || PASSING_CLASSES.has(code.slice(0, 2));
}
