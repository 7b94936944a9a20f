/** Given a history, when a rule decides, then what it writes is legal and leads to a state. */

import * as assert from 'uvu/assert';
import { seal } from '../../shared/ledger/chain.ts';
import type { Decider, Decision } from '../../shared/ledger/decider.ts';
import type { Draft, EventData, EventKind, LedgerWriter } from '../../shared/ledger/events.ts';
import { evolve } from '../../shared/ledger/evolve.ts';
import type { PlanState } from '../../shared/ledger/state.ts';
import { type Chain, START_MS } from './plan-history.ts';

export interface Then<Outcome> {
  readonly decision: Outcome;
  /** Kinds of what is written, in order. */
  readonly kinds: readonly EventKind[];
  /** The plan with what is written. */
  readonly state: PlanState;
}

export interface Given {
  /** @throws ERR_COMMIT_INVALID when what was decided is not legal here */
  when<Command, Outcome extends Decision>(decide: Decider<Command, Outcome>, command: Command): Then<Outcome>;
}

export const given = ({ state, planId }: Pick<Chain, 'state' | 'planId'>, by: LedgerWriter): Given => ({
  when(decide, command) {
    const decision = decide(state, command);
    const { drafts } = decision;
    const nowMs = state.head.ts === null ? START_MS : Date.parse(state.head.ts);
    const events = seal(state.head, drafts, { planId, by, nowMs });
    return { decision, kinds: drafts.map(({ kind }) => kind), state: evolve(state, events) };
  },
});

/** The data of the only draft of a kind. */
export function dataOf<K extends EventKind>(drafts: readonly Draft[], kind: K): EventData<K> {
  const found = drafts.filter((draft) => draft.kind === kind);
  assert.is(found.length, 1, kind);
  return found[0]?.data as EventData<K>;
}
