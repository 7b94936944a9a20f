import { type KnownJudgements, questionsOf } from '../../services/admission/judgements.ts';
import { validatePlan } from '../../services/admission/resolve-plan.ts';
import type { Fault } from '../../shared/errors/isomorph-error.ts';
import { answer } from '../../shared/judge/question.ts';
import type { Registry } from '../../shared/registry/registry.ts';

/** What a judge would say of a document, asked in this process: nothing in these plans needs to be ended. */
export function judgedHere(document: unknown, registry: Registry): KnownJudgements {
  const plan = validatePlan(document);
  const faults = new Map<string, readonly Fault[]>();
  for (const question of plan.ok ? questionsOf(plan.value, registry) : []) {
    const answered = answer(question);
    if (answered.kind === 'faults') faults.set(question.pointer, answered.faults);
  }
  return { faultsAt: (pointer) => faults.get(pointer) ?? [] };
}
