import { IsomorphError } from '../errors/isomorph-error.ts';
import type { RawEvent } from '../ledger/envelope.ts';
import type { LedgerEvent } from '../ledger/events.ts';
import { beginningOf, ChainReader, type Reading } from '../ledger/reading.ts';
import type { StoredMessage } from '../nats/read.ts';
import { decodeCommit } from '../wire/ledger.ts';

/** A plan as far as it has been read. */
export interface Snapshot extends Reading {
  /** Stream sequence of the last message of the plan's subtree, whatever it holds; 0 for an empty subtree. */
  readonly lastSeq: number;
  /** Stream sequences of the messages that are none of its chain, and so were skipped. */
  readonly foreign: ReadonlySet<number>;
  /** Every message up to here was read; of those behind it, some were only shown, and others passed over unseen. */
  readonly readTo: number;
}

export const nothingOf = (planId: string): Snapshot => ({
  ...beginningOf(planId),
  lastSeq: 0,
  foreign: new Set(),
  readTo: 0,
});

/** A message under `ledger.` that is no event of its plan, or does not follow the one before. Readers skip it and tell. */
export interface ForeignMessage {
  readonly subject: string;
  readonly seq: number;
  readonly reason: string;
}

/** What messages made of a snapshot. */
export interface Advance {
  readonly snapshot: Snapshot;
  /** The events that they added to the chain, in order. */
  readonly linked: readonly RawEvent[];
  /** Those of them that are known and legal. */
  readonly events: readonly LedgerEvent[];
  /** Those of them that are none of the chain. */
  readonly passedOver: readonly ForeignMessage[];
}

/** The events of a message of the plan's subtree, or why it is none. */
export function commitOf(planId: string, { data, subject }: StoredMessage): RawEvent[] | IsomorphError {
  try {
    const commit = decodeCommit(data, subject).map(({ raw }) => raw);
    if (commit[0]?.plan_id !== planId) throw new IsomorphError('ERR_NOT_AN_EVENT', 'an event of another plan');
    return commit;
  } catch (error) {
    if (error instanceof IsomorphError && error.code === 'ERR_NOT_AN_EVENT') return error;
    throw error;
  }
}

/** A message, with what {@link commitOf} makes of it. */
export interface MessageWithCommit {
  readonly message: Pick<StoredMessage, 'subject' | 'seq'>;
  readonly commit: readonly RawEvent[] | IsomorphError;
}

/** The snapshot after messages that follow it. Pure. */
export function advance(known: Snapshot, messages: readonly MessageWithCommit[]): Advance {
  if (messages.length === 0) return { snapshot: known, linked: [], events: [], passedOver: [] };
  const reader = new ChainReader(known);
  const linked: RawEvent[] = [];
  const events: LedgerEvent[] = [];
  const passedOver: ForeignMessage[] = [];
  for (const { message, commit } of messages) {
    const { subject, seq } = message;
    if (commit instanceof IsomorphError) {
      passedOver.push({ subject, seq, reason: commit.message });
      continue;
    }
    const taken = reader.take(commit);
    if (taken.kind === 'linked') {
      linked.push(...commit);
      events.push(...taken.events);
    } else passedOver.push({ subject, seq, reason: taken.error.message });
  }
  const lastSeq = messages.at(-1)?.message.seq ?? known.lastSeq;
  const readTo = known.readTo === known.lastSeq ? lastSeq : known.readTo;
  const foreign =
    passedOver.length === 0 ? known.foreign : new Set([...known.foreign, ...passedOver.map(({ seq }) => seq)]);
  return { snapshot: { ...reader.reading, lastSeq, foreign, readTo }, linked, events, passedOver };
}
