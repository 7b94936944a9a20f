import type { EventKind, EventOf, LedgerEvent } from '../ledger/events.ts';
import { Fold } from '../ledger/evolve.ts';
import { emptyState } from '../ledger/state.ts';
import type { Finding, Told } from '../ledger/verify.ts';
import type { AdmittedPlan } from './admitted.ts';
import * as rules from './audit-rules.ts';
import { endsItsStep } from './steps.ts';

/** By kind, what must hold between an event and the admitted plan; the first that is broken is told. */
export const AUDIT: { readonly [K in EventKind]?: readonly rules.DocumentRule<EventOf<K>>[] } = {
  'plan.admitted': [rules.admittedAsTold],
  'plan.settled': [rules.endAsReached],
  'budget.reserved': [rules.reserveOfEntry],
  'budget.settled': [rules.costOfEntry],
  'execution.scheduled': [rules.stepOfPlan, rules.withinRetries, rules.needsDone, rules.reservedFirst],
  'execution.started': [rules.inputsOfStep],
  'execution.succeeded': [rules.ranWhereAdmitted, rules.outputsWritten],
  'execution.failed': [rules.ranWhereAdmitted],
  'artifact.written': [rules.ownPath],
  'predicate.checked': [rules.predicateOfPlan],
};

function contradiction(audited: rules.Audited, event: LedgerEvent): rules.Contradiction | undefined {
  // The rules are those of the event's own kind, which the type of a look-up by a union cannot say.
  const own = (AUDIT[event.kind] ?? []) as readonly rules.DocumentRule<LedgerEvent>[];
  for (const { broken } of own) {
    const found = broken(audited, event);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * What a plan's history says against its admitted document: what the chain alone cannot tell. Pure.
 * @param history every event of one plan from the first on, each legal where it stands, as a `Verifier` tells them
 */
export function audit(plan: AdmittedPlan, history: Iterable<Told>): Finding[] {
  const fold = new Fold(emptyState(plan.plan_id));
  const steps = new Map(plan.steps.map((step) => [step.id, step]));
  const findings: Finding[] = [];
  let failedStep: string | undefined;
  for (const { event, place } of history) {
    const { state } = fold;
    const broken = contradiction({ plan, state, steps, failedStep }, event);
    if (broken !== undefined) {
      const { plan_id: planId, seq, kind } = event;
      const message = `${kind} at seq ${seq} of ${planId}: ${broken.found}`;
      findings.push({ place, planId, seq, code: 'ERR_COMMIT_INVALID', message, expected: broken.expected });
    }
    fold.apply(event);
    if (event.kind === 'execution.failed' || event.kind === 'execution.lost') {
      const after = fold.state;
      const step = steps.get(after.executions.get(event.data.execution_id)?.stepId ?? '');
      const executions = (after.attempts.get(step?.id ?? '') ?? []).flatMap((id) => after.executions.get(id) ?? []);
      if (step !== undefined && endsItsStep(step, executions)) failedStep ??= step.id;
    }
  }
  return findings;
}
