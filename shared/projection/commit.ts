import type { EventLine as RawLine } from '../ledger/envelope.ts';
import type { LedgerEvent } from '../ledger/events.ts';
import { understood } from '../ledger/meaning.ts';
import type { StoredMessage } from '../nats/read.ts';
import { decodeCommit } from '../wire/ledger.ts';

/** An event, what it means, and the exact canonical text that stands for it in the stream. */
export interface EventLine extends RawLine {
  readonly event: LedgerEvent;
}

/**
 * The events of a message of the ledger stream.
 * @throws IsomorphError, whatever its code, for a message that is none of the ledger's
 */
export const commitLines = ({ data, subject }: Pick<StoredMessage, 'data' | 'subject'>): EventLine[] =>
  decodeCommit(data, subject).map(({ raw, line }) => ({ event: understood(raw), raw, line }));
