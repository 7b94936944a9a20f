import { type Fault, fault } from '../../shared/errors/isomorph-error.ts';
import { type Draft, EVENT_DATA, FACT_KINDS, type FactKind } from '../../shared/ledger/events.ts';
import type { PlanState } from '../../shared/ledger/state.ts';
import { validator } from '../../shared/schema/validate.ts';

/** A fact as the sampler took it from its queue. */
export interface Fact {
  readonly id: string;
  readonly draft: Draft;
}

export type ParsedFact = { readonly ok: true; readonly fact: Fact } | { readonly ok: false; readonly fault: Fault };

const checks = new Map(FACT_KINDS.map((kind) => [kind, validator(EVENT_DATA[kind], 'ERR_SCHEMA')]));

const isFactKind = (kind: unknown): kind is FactKind => FACT_KINDS.some((known) => known === kind);

/**
 * A message of FACTS: `{"kind": "scratch.kv.changed", "data": {…}}`, where `data` is that of the event without
 * `fact_id`. The id derives from the message's own, so that a second delivery is the same fact.
 */
export function parseFact(data: Uint8Array, streamSeq: number): ParsedFact {
  let message: unknown;
  try {
    message = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(data));
  } catch (error) {
    return { ok: false, fault: fault('ERR_NOT_JSON', (error as Error).message, { expected: 'one JSON object' }) };
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
  return { ok: true, fact: { id, draft: { kind, data: checked.value } as Draft } };
}

/** Why a plan takes no facts; undefined when it does. A settled chain is closed: its last event is plan.settled. */
export function refusal(state: PlanState): Fault | undefined {
  if (state.phase === 'absent') return fault('ERR_PLAN_UNKNOWN', `no plan ${state.planId}`);
  if (state.phase === 'admitted') return undefined;
  return fault('ERR_PLAN_SETTLED', `plan ${state.planId} is ${state.phase}`);
}

/** Facts that the ledger does not have yet, in order. */
export const decideRecord = (state: PlanState, facts: readonly Fact[]): Draft[] =>
  refusal(state) === undefined ? facts.filter(({ id }) => !state.facts.has(id)).map(({ draft }) => draft) : [];
