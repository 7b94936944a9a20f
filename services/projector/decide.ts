import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import type { ForeignMessage } from '../../shared/journal/journal.ts';
import { checkLink, type Head, headOf } from '../../shared/ledger/chain.ts';
import type { LedgerEvent } from '../../shared/ledger/events.ts';
import { evolve } from '../../shared/ledger/evolve.ts';
import { emptyState, type PlanState } from '../../shared/ledger/state.ts';
import type { StoredMessage } from '../../shared/nats/read.ts';
import { commitLines, type EventLine } from '../../shared/projection/commit.ts';
import { planOfSubject } from '../../shared/wire/ledger.ts';

/** One event on its way into the table `events`. */
export interface ProjectedEvent extends EventLine {
  readonly streamSeq: number;
  readonly indexInCommit: number;
}

/** Where the ledger stops to be a ledger. */
export interface Break {
  readonly planId: string;
  readonly seq: number;
  readonly streamSeq: number;
  /** ERR_CHAIN_BROKEN, or ERR_COMMIT_INVALID for an event that is illegal in the state before it. */
  readonly error: IsomorphError;
}

export interface Decision {
  readonly events: readonly ProjectedEvent[];
  /** Every plan that the events changed, as it is after them. */
  readonly states: ReadonlyMap<string, PlanState>;
  readonly foreign: readonly ForeignMessage[];
  /** The last message that is taken in; undefined when there is none before the break. */
  readonly position: number | undefined;
  readonly broken: Break | undefined;
}

/** Plans that messages speak of: whose states {@link decide} needs. */
export const plansOf = (messages: readonly StoredMessage[]): string[] => [
  ...new Set(messages.flatMap(({ subject }) => planOfSubject(subject) ?? [])),
];

type Commit = { readonly streamSeq: number; readonly events: readonly ProjectedEvent[] };

/** The events of a message, or why it is none of the ledger's. */
function decodeMessage({ data, subject, seq }: StoredMessage): Commit | ForeignMessage {
  try {
    const events = commitLines({ data, subject }).map((one, indexInCommit) => ({
      ...one,
      streamSeq: seq,
      indexInCommit,
    }));
    return { streamSeq: seq, events };
  } catch (error) {
    if (!(error instanceof IsomorphError)) throw error;
    return { subject, seq, reason: error.message };
  }
}

function breakAt(event: LedgerEvent, streamSeq: number, error: unknown): Break {
  if (!(error instanceof IsomorphError)) throw error;
  return { planId: event.plan_id, seq: event.seq, streamSeq, error };
}

/** Checks links of all events; nothing of a commit counts when one of its events does not. */
function checkCommit(
  heads: Map<string, Head>,
  states: ReadonlyMap<string, PlanState>,
  commit: Commit,
): Break | undefined {
  let head: Head | undefined;
  for (const { event } of commit.events) {
    head ??= heads.get(event.plan_id) ?? (states.get(event.plan_id) ?? emptyState(event.plan_id)).head;
    try {
      checkLink(head, event);
    } catch (error) {
      return breakAt(event, commit.streamSeq, error);
    }
    head = headOf(event);
  }
  const last = commit.events.at(-1);
  if (last !== undefined) heads.set(last.event.plan_id, headOf(last.event));
  return undefined;
}

/** The first event of a plan that is illegal where it stands. Slow; only for a plan that has one. */
function findIllegal(state: PlanState, events: readonly ProjectedEvent[]): Break | undefined {
  let current = state;
  for (const { event, streamSeq } of events) {
    try {
      current = evolve(current, [event]);
    } catch (error) {
      return breakAt(event, streamSeq, error);
    }
  }
  return undefined;
}

interface Folded {
  readonly states: ReadonlyMap<string, PlanState>;
  /** The illegal event that comes first in the stream. */
  readonly illegal: Break | undefined;
}

/** State after state, whole batches at once: folding copies the state once a call. */
function foldAll(
  before: ReadonlyMap<string, PlanState>,
  byPlan: ReadonlyMap<string, readonly ProjectedEvent[]>,
): Folded {
  const states = new Map<string, PlanState>();
  let illegal: Break | undefined;
  for (const [planId, events] of byPlan) {
    const state = before.get(planId) ?? emptyState(planId);
    try {
      states.set(
        planId,
        evolve(
          state,
          events.map(({ event }) => event),
        ),
      );
    } catch (error) {
      const found = findIllegal(state, events);
      if (found === undefined) throw error;
      if (illegal === undefined || found.streamSeq < illegal.streamSeq) illegal = found;
    }
  }
  return { states, illegal };
}

function groupByPlan(events: readonly ProjectedEvent[]): Map<string, ProjectedEvent[]> {
  const byPlan = new Map<string, ProjectedEvent[]>();
  for (const one of events) {
    const group = byPlan.get(one.event.plan_id);
    if (group === undefined) byPlan.set(one.event.plan_id, [one]);
    else group.push(one);
  }
  return byPlan;
}

/**
 * Verifies messages of the ledger stream, which must follow those that `before` was made of, and says what becomes of
 * them. Everything in front of a break is taken in, nothing behind it. Pure.
 * @param before states of the plans of {@link plansOf}; a plan that is missing has no events yet
 */
export function decide(before: ReadonlyMap<string, PlanState>, messages: readonly StoredMessage[]): Decision {
  const events: ProjectedEvent[] = [];
  const foreign: ForeignMessage[] = [];
  const heads = new Map<string, Head>();
  let position: number | undefined;
  let broken: Break | undefined;
  for (const message of messages) {
    const decoded = decodeMessage(message);
    if ('reason' in decoded) foreign.push(decoded);
    else {
      broken = checkCommit(heads, before, decoded);
      if (broken !== undefined) break;
      events.push(...decoded.events);
    }
    position = message.seq;
  }
  const { states, illegal } = foldAll(before, groupByPlan(events));
  if (illegal === undefined) return { events, states, foreign, position, broken };
  const inFront = messages.filter(({ seq }) => seq < illegal.streamSeq);
  return { ...decide(before, inFront), broken: illegal };
}
