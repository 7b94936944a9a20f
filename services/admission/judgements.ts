import type { Fault } from '../../shared/errors/isomorph-error.ts';
import type { Judge } from '../../shared/judge/judge.ts';
import type { FaultsQuestion } from '../../shared/judge/question.ts';
import type { Plan, PredicateCall } from '../../shared/plan/plan.ts';
import type { Registry } from '../../shared/registry/registry.ts';

/** What is found where users wrote programs and schemas: asked before a plan is judged, since judging asks nobody. */
export interface KnownJudgements {
  /** Faults of the predicate call, or of the params, at this place of the plan. */
  faultsAt(pointer: string): readonly Fault[];
}

/** A plan with this many faults is refused with enough to work on: nothing more of it is asked. */
const ENOUGH_FAULTS = 20;

const ofCalls = (calls: readonly PredicateCall[] | undefined, base: string): FaultsQuestion[] =>
  (calls ?? []).map((call, position) => ({ kind: 'call', call, pointer: `${base}/predicates/${position}` }));

/** Every predicate and all params of a plan, in order. Pure. */
export function questionsOf(plan: Plan, { processors }: Pick<Registry, 'processors'>): FaultsQuestion[] {
  const ofSteps = plan.steps.flatMap((step, index): FaultsQuestion[] => {
    const base = `/steps/${index}`;
    const schema = processors.get(step.processor)?.inputs.params;
    const calls = ofCalls(step.predicates, base);
    if (schema === undefined) return calls;
    return [
      { kind: 'value', schema, value: step.params ?? {}, code: 'ERR_PARAMS', pointer: `${base}/params` },
      ...calls,
    ];
  });
  return [...ofSteps, ...ofCalls(plan.predicates, '')];
}

/**
 * Asks the judge for a principal, until there is enough to refuse the plan: one that costs too much is enough, since each costs
 * seconds. @throws ERR_UNAVAILABLE, also when too many of the principal wait already for what is costly
 */
export async function lookUpJudgements(
  judge: Pick<Judge, 'faults'>,
  principal: string,
  plan: Plan,
  registry: Registry,
): Promise<KnownJudgements> {
  const known = new Map<string, readonly Fault[]>();
  let found = 0;
  for (const question of questionsOf(plan, registry)) {
    const faults = await judge.faults(principal, question);
    known.set(question.pointer, faults);
    found += faults.length;
    if (found >= ENOUGH_FAULTS || faults.some(({ code }) => code === 'ERR_TOO_COSTLY')) break;
  }
  return { faultsAt: (pointer) => known.get(pointer) ?? [] };
}
