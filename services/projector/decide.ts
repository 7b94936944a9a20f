import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import type { ForeignMessage } from '../../shared/journal/snapshot.ts';
import type { EventLine } from '../../shared/ledger/envelope.ts';
import { beginningOf, ChainReader, type Reading } from '../../shared/ledger/reading.ts';
import type { StoredMessage } from '../../shared/nats/read.ts';
import { decodeCommit, planOfSubject } from '../../shared/wire/ledger.ts';

/** One event on its way into the table `events`, whatever it means. */
export interface ProjectedEvent extends EventLine {
  readonly streamSeq: number;
  readonly indexInCommit: number;
}

/** A plan that this version could follow to its end until now. */
export interface Halted {
  readonly planId: string;
  readonly streamSeq: number;
  readonly standing: Exclude<Reading['standing'], { kind: 'known' }>;
}

export interface FollowedMessages {
  readonly events: readonly ProjectedEvent[];
  /** Every plan that the events changed, as it is after them. */
  readonly readings: ReadonlyMap<string, Reading>;
  readonly foreign: readonly ForeignMessage[];
  /** Plans that are newer than this version or quarantined since these messages; the others go on. */
  readonly halted: readonly Halted[];
  /** The last message; undefined when there is none. */
  readonly position: number | undefined;
}

/** Plans that messages speak of: whose readings {@link decide} needs. */
export const plansOf = (messages: readonly StoredMessage[]): string[] => [
  ...new Set(messages.flatMap(({ subject }) => planOfSubject(subject) ?? [])),
];

/** The events of a message, or why it is none of the ledger's. */
function decodeMessage({ data, subject }: StoredMessage): EventLine[] | IsomorphError {
  try {
    return decodeCommit(data, subject);
  } catch (error) {
    if (error instanceof IsomorphError && error.code === 'ERR_NOT_AN_EVENT') return error;
    throw error;
  }
}

/**
 * Follows the chains of plans through messages of the ledger stream, which must follow those that `before` was made of.
 * What is none of a chain is told and passed over; a plan that this version cannot follow keeps its events, its state
 * stands still, and no other plan hears of it. Pure.
 * @param before readings of the plans of {@link plansOf}; a plan that is missing has no events yet
 */
export function decide(before: ReadonlyMap<string, Reading>, messages: readonly StoredMessage[]): FollowedMessages {
  const events: ProjectedEvent[] = [];
  const foreign: ForeignMessage[] = [];
  const halted: Halted[] = [];
  const readers = new Map<string, ChainReader>();
  const changed = new Set<string>();
  for (const message of messages) {
    const { subject, seq: streamSeq } = message;
    const lines = decodeMessage(message);
    if (lines instanceof IsomorphError) {
      foreign.push({ subject, seq: streamSeq, reason: lines.message });
      continue;
    }
    const planId = lines[0]?.raw.plan_id ?? '';
    const reader = readers.get(planId) ?? new ChainReader(before.get(planId) ?? beginningOf(planId));
    readers.set(planId, reader);
    const { kind: stood } = reader.standing;
    const taken = reader.take(lines.map(({ raw }) => raw));
    if (taken.kind === 'foreign') {
      foreign.push({ subject, seq: streamSeq, reason: taken.error.message });
      continue;
    }
    events.push(...lines.map((line, indexInCommit) => ({ ...line, streamSeq, indexInCommit })));
    changed.add(planId);
    const { standing } = reader;
    if (stood === 'known' && standing.kind !== 'known') halted.push({ planId, streamSeq, standing });
  }
  const readings = new Map([...readers].flatMap(([id, { reading }]) => (changed.has(id) ? [[id, reading]] : [])));
  return { events, readings, foreign, halted, position: messages.at(-1)?.seq };
}
