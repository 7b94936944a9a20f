import { decodeText } from '../ledger/decode.ts';
import type { LedgerEvent } from '../ledger/events.ts';
import type { StoredMessage } from '../nats/read.ts';
import { decodeCommit } from '../wire/ledger.ts';

/** An event and the exact canonical text that stands for it in the stream. */
export interface EventLine {
  readonly event: LedgerEvent;
  readonly line: string;
}

/**
 * The events of a message of the ledger stream.
 * @throws IsomorphError, whatever its code, for a message that is none of the ledger's
 */
export function commitLines({ data, subject }: Pick<StoredMessage, 'data' | 'subject'>): EventLine[] {
  const lines = decodeText(data).split('\n');
  return decodeCommit(data, subject).map((event, index) => ({ event, line: lines[index] ?? '' }));
}
