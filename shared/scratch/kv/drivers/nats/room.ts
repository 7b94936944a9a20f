import { IsomorphError } from '../../../../errors/isomorph-error.ts';
import { Room } from '../../../../providers/nats/room.ts';
import type { NatsAccess } from '../../../../providers/nats/scratch.ts';
import { formatAmount } from '../../../../text/amount.ts';

/**
 * Of the bucket, for what makes room in it: the trace of a small key that went is larger than the key was, and stays for
 * half a minute, so that a server which takes nothing more takes no deletion either.
 */
const KEPT_SHARE = 1 / 8;

export const roomOfBucket = (nats: NatsAccess): Room =>
  new Room(nats, {
    limitBytes: ({ max_bytes: most }) => (most > 0 ? Math.floor(most * (1 - KEPT_SHARE)) : Number.POSITIVE_INFINITY),
    full: (_, bytes, limitBytes) =>
      new IsomorphError('ERR_LIMIT', `KV of all plans holds ${formatAmount(bytes)}`, {
        expected: `less than ${formatAmount(limitBytes)}: keys that are deleted, or a larger ISOMORPH_MAX_KV_BYTES`,
      }),
  });
