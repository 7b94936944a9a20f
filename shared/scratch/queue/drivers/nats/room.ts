import { IsomorphError } from '../../../../errors/isomorph-error.ts';
import { Room } from '../../../../providers/nats/room.ts';
import type { NatsAccess } from '../../../../providers/nats/scratch.ts';
import { formatAmount } from '../../../../text/amount.ts';
import { limitInMetadata } from '../../../../wire/scratch-streams.ts';

/** The server cannot refuse what is new in a stream of queues (it has schedules), and dropping what is old would take somebody else's messages. */
export const roomOfQueues = (nats: NatsAccess): Room =>
  new Room(nats, {
    limitBytes: limitInMetadata,
    full: (stream, bytes, limitBytes) =>
      new IsomorphError('ERR_LIMIT', `the queues of ${stream} hold ${formatAmount(bytes)}`, {
        expected: `less than ${formatAmount(limitBytes)}: consume what is there, or raise ISOMORPH_MAX_QUEUES_BYTES`,
      }),
  });
