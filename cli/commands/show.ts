import { rowsOf } from '../../shared/projection/rows.ts';
import type { Context } from '../context.ts';
import { admittedOf, type LoadedPlan, loadPlan } from '../load-plan.ts';
import { type PlanView, planLines } from '../render/plan.ts';
import { verdictDocument } from '../render/verdict.ts';

export async function viewOf(context: Context, loaded: LoadedPlan): Promise<PlanView> {
  const { state, head, verdict } = loaded;
  const rows = rowsOf(loaded, await admittedOf(context, state));
  const { predicates } = state;
  return { rows, predicates, events: head.seq, verified: verdict.findings.length === 0 };
}

export const viewDocument = ({ rows, predicates }: PlanView, { verdict }: LoadedPlan): unknown => {
  const { plans, budgets, ...lists } = rows;
  return { ...plans[0], budget: budgets[0], ...lists, predicates, verification: verdictDocument(verdict) };
};

/** `isomorph show <plan>`. */
export async function show(context: Context, planId: string): Promise<number> {
  const loaded = await loadPlan(context, planId);
  const view = await viewOf(context, loaded);
  context.out.lines(...planLines(view, context.out.theme));
  context.out.document(viewDocument(view, loaded));
  return view.verified ? 0 : 1;
}
