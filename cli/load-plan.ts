import { IsomorphError } from '../shared/errors/isomorph-error.ts';
import { isPlanId } from '../shared/ids/ids.ts';
import { AdmittedPlans } from '../shared/journal/admitted-plans.ts';
import type { LedgerEvent } from '../shared/ledger/events.ts';
import type { Reading } from '../shared/ledger/reading.ts';
import type { PlanState } from '../shared/ledger/state.ts';
import { type Verdict, Verifier } from '../shared/ledger/verify.ts';
import type { AdmittedPlan } from '../shared/plan/admitted.ts';
import type { Context } from './context.ts';
import { readMessages } from './ledger-source.ts';

/** @throws ERR_PLAN_ID for text that no plan can be called. */
export function checkPlanArgument(text: string): string {
  if (isPlanId(text)) return text;
  throw new IsomorphError('ERR_PLAN_ID', `${JSON.stringify(text)} is no plan_id`, {
    expected: 'a string of the form [a-z0-9][a-z0-9_-]{0,62}',
  });
}

/** A plan as the live ledger has it, verified on the way. */
export interface LoadedPlan extends Reading {
  /** Those that this version knows, and that are legal. */
  readonly events: readonly LedgerEvent[];
  readonly verdict: Verdict;
}

/** @throws ERR_PLAN_ID; ERR_PLAN_UNKNOWN when the ledger has no event of it. */
export async function loadPlan(context: Context, planId: string): Promise<LoadedPlan> {
  checkPlanArgument(planId);
  const events: LedgerEvent[] = [];
  const verifier = new Verifier(({ event }) => events.push(event));
  for await (const one of readMessages(await context.connection('auditor'), planId)) {
    const place = `message ${one.message.seq}`;
    if (one.kind === 'foreign') verifier.report(one.error, place);
    else verifier.commit(one.raws, place);
  }
  const reading = verifier.reading(planId);
  if (reading === undefined) throw new IsomorphError('ERR_PLAN_UNKNOWN', `no plan ${planId} is in the ledger`);
  return { ...reading, events, verdict: verifier.verdict() };
}

/**
 * What admission made of the plan: titles, and steps that have not run yet. Undefined when it was not admitted, or
 * this machine does not reach the store: the ledger alone tells the rest.
 */
export async function admittedOf(context: Context, state: PlanState): Promise<AdmittedPlan | undefined> {
  if (state.admitted === undefined || context.place.artifacts === undefined) return undefined;
  try {
    return await new AdmittedPlans(await context.store()).of(state);
  } catch (error) {
    if (!(error instanceof IsomorphError)) throw error;
    context.out.note(`the admitted plan could not be read: ${error.message}`);
    return undefined;
  }
}
