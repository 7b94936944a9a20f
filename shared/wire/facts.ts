import type { FactKind } from '../ledger/events.ts';

export const FACTS_STREAM = 'FACTS';

/** Facts of every plan. */
export const ALL_FACTS = 'facts.>';

/** `facts.<plan_id>.<kind>`. */
export const factSubject = (planId: string, kind: FactKind): string => `facts.${planId}.${kind}`;

/** The token where a subject of facts names its plan; whether it is a plan id is for the reader to check. */
export const planOfFact = (subject: string): string | undefined => /^facts\.([^.]+)\./.exec(subject)?.[1];
