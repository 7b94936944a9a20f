import type { Logger } from 'pino';
import { type TellLimit, TOLD_SHARE } from '../../shared/async/limit-notice.ts';
import { OnceAMinute } from '../../shared/async/once-a-minute.ts';

/** Tells in the log that a limit is used to 80 %, and that it is hit: each the first time, then once a minute. */
export function limitTeller(log: Logger, nowMs?: () => number): TellLimit {
  const often = new OnceAMinute(nowMs);
  return ({ limit, of, used, most }) => {
    if (used < most * TOLD_SHARE) return;
    const isHit = used >= most;
    const times = often.due(`${limit} ${of} ${isHit}`);
    if (times === undefined) return;
    log.warn({ limit, of, used, most, times }, isHit ? 'a limit is hit' : 'a limit is used to 80 %');
  };
}
