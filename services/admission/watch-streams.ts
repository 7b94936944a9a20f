/** Tells of streams that are near their limit, or at it: once, then once a minute. What rolls is left out, since full is how it works. */
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import { TOLD_SHARE } from '../../shared/async/limit-notice.ts';
import { lookEvery } from '../../shared/async/look-every.ts';
import { OnceAMinute } from '../../shared/async/once-a-minute.ts';
import { LIMITS, type Limit } from '../common/config/limits.ts';
import { streamUses } from '../common/limits-in-force.ts';
import { limitOfStream } from '../common/stream-limits.ts';

/** One request. */
const LOOK_EVERY_MS = 5_000;

export interface StreamWatch {
  stop(): Promise<void>;
}

/** @param everyMs between two looks */
export function watchStreams(connection: NatsConnection, log: Logger, everyMs: number = LOOK_EVERY_MS): StreamWatch {
  const often = new OnceAMinute();
  const look = async (): Promise<void> => {
    for (const { stream, bytes, limitBytes } of await streamUses(
      await jetstreamManager(connection, { checkAPI: false }),
    )) {
      const { name, isRolling }: Limit = LIMITS[limitOfStream(stream)];
      if (isRolling === true || limitBytes <= 0 || bytes < limitBytes * TOLD_SHARE) continue;
      // The next message would not fit any more.
      const isHit = bytes >= limitBytes * 0.99;
      const times = often.due(`${stream} ${isHit}`);
      const about = { stream, limit: name, used_bytes: bytes, limit_bytes: limitBytes, times };
      if (times !== undefined) log.warn(about, isHit ? 'a stream is at its limit' : 'a stream is near its limit');
    }
  };
  return lookEvery(everyMs, look, (error: unknown) => log.debug({ err: error }, 'the streams could not be looked at'));
}
