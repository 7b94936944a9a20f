import type { Logger } from 'pino';
import type { TellLimit } from '../../shared/async/limit-notice.ts';
import { OnceAMinute } from '../../shared/async/once-a-minute.ts';

/** From here on whoever operates it is told, while there is time to raise it. */
const NEARLY = 0.8;

/** Tells in the log that a limit is used to 80 %, and that it is hit: each the first time, then once a minute. */
export function limitTeller(log: Logger, nowMs?: () => number): TellLimit {
  const often = new OnceAMinute(nowMs);
  return ({ limit, of, used, most }) => {
    if (used < most * NEARLY) return;
    const isHit = used >= most;
    const times = often.due(`${limit} ${of} ${isHit}`);
    if (times === undefined) return;
    log.warn({ limit, of, used, most, times }, isHit ? 'a limit is hit' : 'a limit is used to 80 %');
  };
}
