import type { Logger } from 'pino';
import { type BackoffOptions, backoffMs, delay } from '../../shared/async/delay.ts';
import { OnceAMinute, reasonOf } from '../../shared/async/once-a-minute.ts';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';

const BACKOFF: BackoffOptions = { baseMs: 1_000, maxMs: 15_000, random: Math.random };

/**
 * Starts what needs servers, again and again while one of them cannot be reached: services and their servers start together,
 * and a server may take its time. Says so at once and then once a minute.
 * @param start leaves nothing behind when it fails
 * @throws what another try does not cure, such as ERR_CONFIG
 */
export async function untilReachable<T>(log: Logger, start: () => Promise<T>): Promise<T> {
  const often = new OnceAMinute();
  for (let round = 0; ; round++) {
    try {
      return await start();
    } catch (error) {
      if (!(error instanceof IsomorphError) || error.code !== 'ERR_UNAVAILABLE') throw error;
      const times = often.due(reasonOf(error));
      if (times !== undefined)
        log.warn({ err: error, times }, 'what is needed at the start is away; it is tried again');
    }
    await delay(backoffMs(round, BACKOFF));
  }
}
