import type pg from 'pg';
import type { Logger } from 'pino';
import { OnceAMinute } from '../../shared/async/once-a-minute.ts';

const SILENT_MS = 10_000;

/** Says once a minute that Postgres leaves a statement without an answer: one that is stopped refuses nothing, and nothing fails. */
export function tellOfSilence(pool: pg.Pool, log: Pick<Logger, 'warn'>, silentMs = SILENT_MS): void {
  const often = new OnceAMinute();
  const waiting = new Map<pg.PoolClient, NodeJS.Timeout>();
  const tell = (): void => {
    const times = often.due('silent');
    if (times !== undefined)
      log.warn({ times }, `Postgres has not answered for ${silentMs / 1_000} s; it is waited for`);
  };
  pool.on('acquire', (client) => void waiting.set(client, setInterval(tell, silentMs).unref()));
  pool.on('release', (_error, client) => {
    clearInterval(waiting.get(client));
    waiting.delete(client);
  });
}
