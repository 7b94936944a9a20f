import { type Fault, fault, toFault } from '../../shared/errors/isomorph-error.ts';
import { canonicalBytes } from '../../shared/hash/canonical.ts';
import { type Decision, NOTHING } from '../../shared/ledger/decider.ts';
import { type Draft, EVENT_DATA, EVENT_LIMITS, FACT_KINDS, type FactKind } from '../../shared/ledger/events.ts';
import type { PlanState } from '../../shared/ledger/state.ts';
import { validator } from '../../shared/schema/validate.ts';
import { reasonCode } from '../../shared/scratch/facts.ts';

/** A fact as the sampler took it from its queue. */
export interface Fact {
  readonly id: string;
  readonly draft: Draft;
}

export type ParsedFact = { readonly ok: true; readonly fact: Fact } | { readonly ok: false; readonly fault: Fault };

const checks = new Map(FACT_KINDS.map((kind) => [kind, validator(EVENT_DATA[kind], 'ERR_SCHEMA')]));

const isFactKind = (kind: unknown): kind is FactKind => FACT_KINDS.some((known) => known === kind);

/** Whoever reported it: no word of a processor's stands as a reason in the ledger. */
const withCode = (draft: Draft): Draft =>
  draft.kind === 'scratch.queue.deadletter'
    ? { ...draft, data: { ...draft.data, reason: reasonCode(draft.data.reason) } }
    : draft;

/**
 * A message of FACTS: `{"kind": "scratch.kv.changed", "data": {…}}`, where `data` is that of the event without
 * `fact_id`. The id derives from the message's own, so that a second delivery is the same fact.
 */
export function parseFact(data: Uint8Array, streamSeq: number): ParsedFact {
  let message: unknown;
  try {
    message = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(data));
  } catch {
    // What the parser says repeats a part of the text.
    return { ok: false, fault: fault('ERR_NOT_JSON', 'the fact is no JSON in UTF-8', { expected: 'one JSON object' }) };
  }
  const { kind, data: body } = (message ?? {}) as { kind?: unknown; data?: unknown };
  if (!isFactKind(kind)) {
    const expected = `one of ${FACT_KINDS.join(', ')}`;
    return { ok: false, fault: fault('ERR_SCHEMA', 'the fact has no known kind', { pointer: '/kind', expected }) };
  }
  const id = `f${streamSeq}`;
  const value = { ...(typeof body === 'object' && body !== null ? body : {}), fact_id: id };
  const checked = checks.get(kind)?.(value, '/data');
  if (checked?.ok !== true) return { ok: false, fault: checked?.faults[0] ?? fault('ERR_SCHEMA', 'an unusable fact') };
  const draft = withCode({ kind, data: checked.value } as Draft);
  try {
    canonicalBytes(draft);
  } catch (error) {
    // Text that no event can hold is this fact's fault alone: it must not fail the commit it would share with others.
    return { ok: false, fault: toFault(error) };
  }
  return { ok: true, fact: { id, draft } };
}

/** Why a plan takes no facts; undefined when it does. A settled chain is closed: its last event is plan.settled. */
export function refusal(state: PlanState): Fault | undefined {
  if (state.phase === 'absent') return fault('ERR_PLAN_UNKNOWN', `no plan ${state.planId}`);
  if (state.phase === 'admitted') return undefined;
  return fault('ERR_PLAN_SETTLED', `plan ${state.planId} is ${state.phase}`);
}

/** Whether a fact was still under way when its plan ended, which is nobody's fault: it is dropped. */
export const isLate = (state: PlanState, { id }: Fact): boolean => state.phase === 'settled' && !state.facts.has(id);

/**
 * Why a fact is not recorded and never will be. One that was recorded before its plan ended may be delivered again.
 * @param most facts of a plan that the ledger records: how often a processor uses its scratch is its own choice
 */
export function refusalOf(state: PlanState, { id }: Fact, most: number): Fault | undefined {
  if (state.facts.has(id)) return undefined;
  const refused = refusal(state);
  if (refused !== undefined || state.facts.size < most) return refused;
  const expected = `at most ${most} facts of a plan`;
  return fault('ERR_LIMIT', 'the ledger records no more facts of this plan', { expected });
}

export interface RecordCommand {
  readonly facts: readonly Fact[];
  /** What the ledger holds of a plan at most. */
  readonly most: number;
}

/** Facts that the ledger does not have yet, in order, as many as it may hold. */
export function decideRecord(state: PlanState, { facts, most }: RecordCommand): Decision {
  if (refusal(state) !== undefined) return NOTHING;
  const added = facts.filter(({ id }) => !state.facts.has(id)).slice(0, Math.max(0, most - state.facts.size));
  return { drafts: added.map(({ draft }) => draft) };
}

/** What the chain adds to a draft: ids, hashes and time, rounded up. */
const ENVELOPE_BYTES = 512;

/** Facts in as few commits as their size allows, in order: one with a long reason must not cost the others their place. */
export function commitsOf(facts: readonly Fact[]): Fact[][] {
  const commits: Fact[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const fact of facts) {
    const weight = canonicalBytes(fact.draft).byteLength + ENVELOPE_BYTES;
    if (bytes + weight > EVENT_LIMITS.commit_bytes) {
      commits.push([]);
      bytes = 0;
    }
    commits.at(-1)?.push(fact);
    bytes += weight;
  }
  return commits;
}
