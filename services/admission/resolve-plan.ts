import { type Fault, fault } from '../../shared/errors/isomorph-error.ts';
import { planOfPath } from '../../shared/ids/ids.ts';
import { joinWorldPath } from '../../shared/ids/world-path.ts';
import { type AdmittedPlan, type AdmittedStep, processorOf } from '../../shared/plan/admitted.ts';
import { reserveFor } from '../../shared/plan/budget.ts';
import { type Plan, PlanSchema, type PlanStep } from '../../shared/plan/plan.ts';
import type { Registry } from '../../shared/registry/registry.ts';
import { type Validated, validator } from '../../shared/schema/validate.ts';
import { orderByNeeds } from './needs-graph.ts';
import {
  attempt,
  type Deployment,
  type Resolved,
  type Rules,
  resolvePredicate,
  resolveStep,
  type StepRules,
  selectorsOf,
  writePrefix,
} from './resolve-step.ts';

/** Whether a document has the form of a plan: what else it says is judged by what is known of it. */
export const validatePlan = validator(PlanSchema, 'ERR_SCHEMA');

const DEFAULT_POLICY = 'default';

/** Leases are declared one event each, in the commit that admits the plan. */
const MAX_LEASES = 256;

function duplicates(plan: Plan): Fault[] {
  const seen = new Set<string>();
  return plan.steps.flatMap((step, index) => {
    if (!seen.has(step.id)) {
      seen.add(step.id);
      return [];
    }
    return [
      fault('ERR_DUPLICATE_STEP', `"${step.id}" is used twice`, {
        pointer: `/steps/${index}/id`,
        expected: 'an id of its own',
      }),
    ];
  });
}

function policyFaults(plan: Plan, { policy }: Rules): Fault[] {
  const faults: Fault[] = [];
  if (plan.steps.length > policy.max_steps) {
    faults.push(
      fault('ERR_POLICY', `${plan.steps.length} steps`, {
        pointer: '/steps',
        expected: `at most ${policy.max_steps} under policy ${policy.name}`,
      }),
    );
  }
  if (plan.budget.limit_usd_micro > policy.max_budget_usd_micro) {
    const expected = `at most ${policy.max_budget_usd_micro} under policy ${policy.name}`;
    faults.push(
      fault('ERR_POLICY', 'the budget is larger than the policy allows', {
        pointer: '/budget/limit_usd_micro',
        expected,
      }),
    );
  }
  const leases = plan.steps.reduce((sum, step) => sum + (step.leases?.length ?? 0), 0);
  if (leases > MAX_LEASES) {
    faults.push(
      fault('ERR_TOO_LARGE', `${leases} leases`, { pointer: '/steps', expected: `at most ${MAX_LEASES} in a plan` }),
    );
  }
  return faults;
}

/** The budget must cover one attempt of every step; what retries may cost is bounded when they are due. */
function budgetFaults(admitted: AdmittedPlan): Fault[] {
  const needed = admitted.steps.reduce((sum, step) => sum + reserveFor(processorOf(admitted, step)), 0);
  if (needed <= admitted.budget_limit_usd_micro) return [];
  return [
    fault('ERR_BUDGET_BOUND', `one attempt of every step may cost ${needed} micro-dollars`, {
      pointer: '/budget/limit_usd_micro',
      expected: `at least ${needed}`,
    }),
  ];
}

/** What steps write, by path: whose it is, and where the plan says so. */
type Writers = ReadonlyMap<string, { readonly step: string; readonly pointer: string }>;

/** A path below another: a store of files could hold only one of them, and a plan runs on any store. */
function nestingFaults(writers: Writers): Fault[] {
  return [...writers].flatMap(([path, { pointer }]) => {
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      const above = writers.get(path.slice(0, end));
      if (above === undefined) continue;
      const message = `${path} is below an output of "${above.step}"`;
      return [fault('ERR_IMMUTABLE', message, { pointer, expected: 'a prefix of its own' })];
    }
    return [];
  });
}

/** No step writes what is another plan's, or another step's: of two that may write one path, the later would fail. */
function pathFaults(plan: Plan, processors: Rules['processors'], written: readonly Resolved<string>[]): Fault[] {
  const writers = new Map<string, { readonly step: string; readonly pointer: string }>();
  const ofOutput = ({ id }: PlanStep, path: string, pointer: string): Fault[] => {
    const owner = planOfPath(path) ?? plan.plan_id;
    if (owner !== plan.plan_id) {
      const expected = `a prefix that is not of the plan ${owner}`;
      return [fault('ERR_POLICY', `${path} belongs to another plan`, { pointer, expected })];
    }
    const { step: other } = writers.get(path) ?? { step: id };
    writers.set(path, { step: id, pointer });
    if (other === id) return [];
    const message = `${path} is written by "${other}" too`;
    return [fault('ERR_IMMUTABLE', message, { pointer, expected: 'a prefix of its own' })];
  };
  const faults = plan.steps.flatMap((step, index) => {
    const prefix = written[index];
    // What is wrong with the prefix itself has been said.
    if (prefix === undefined || prefix.faults.length > 0) return [];
    const outputs = processors.get(step.processor)?.outputs ?? [];
    const pointer = `/steps/${index}/write_prefix`;
    return outputs.flatMap(({ path }) => {
      const { value: written } = attempt(pointer, () => joinWorldPath(prefix.value, path));
      // One that is too long is told with the step.
      return written === undefined ? [] : ofOutput(step, written, pointer);
    });
  });
  return [...faults, ...nestingFaults(writers)];
}

function circleFault(circle: readonly string[], plan: Plan): Fault {
  const index = plan.steps.findIndex((step) => step.id === circle[0]);
  const shown = circle.length > 20 ? [...circle.slice(0, 20), '…'] : circle;
  return fault('ERR_CYCLE', `steps need each other in a circle: ${shown.join(' → ')}`, {
    pointer: `/steps/${index}/needs`,
    expected: 'needs without a circle',
  });
}

function resolveSteps(plan: Plan, rules: Rules): Validated<AdmittedPlan> {
  const written = plan.steps.map((step, index) => ({ id: step.id, ...writePrefix(rules, step, `/steps/${index}`) }));
  const context: StepRules = { ...rules, prefixes: new Map(written.map(({ id, value }) => [id, value])) };
  const resolved = plan.steps.map((step, index) => resolveStep(context, step, index));
  const predicates = (plan.predicates ?? []).map((call, index) =>
    resolvePredicate(rules, call, { pointer: `/predicates/${index}` }),
  );
  const steps = resolved.flatMap(({ value }) => value ?? []);
  const byId = new Map(steps.map(({ step }): [string, AdmittedStep] => [step.id, step]));
  const ordered = orderByNeeds(new Map([...byId].map(([id, step]) => [id, step.needs])));
  const faults = [
    ...duplicates(plan),
    ...policyFaults(plan, rules),
    ...pathFaults(plan, rules.processors, written),
    ...[...written, ...resolved, ...predicates].flatMap((one) => one.faults),
    ...(ordered.ok ? [] : [circleFault(ordered.circle, plan)]),
  ];
  if (faults.length > 0 || !ordered.ok) return { ok: false, faults };
  const refs = [...new Set(plan.steps.map((step) => step.processor))].sort();
  const admitted: AdmittedPlan = {
    v: 1,
    plan_id: plan.plan_id,
    title: plan.title ?? plan.plan_id,
    policy: rules.policy.name,
    budget_limit_usd_micro: plan.budget.limit_usd_micro,
    steps: ordered.order.flatMap((id) => byId.get(id) ?? []),
    predicates: [...steps.flatMap((one) => one.predicates), ...predicates.map(({ value }) => value)],
    processors: Object.fromEntries(
      refs.flatMap((ref) => {
        const processor = rules.processors.get(ref);
        return processor === undefined ? [] : [[ref, processor]];
      }),
    ),
  };
  const unpaid = budgetFaults(admitted);
  return unpaid.length > 0 ? { ok: false, faults: unpaid } : { ok: true, value: admitted };
}

/** A plan document as an admitted plan, or every reason why not, each with its place. Pure. */
export function resolvePlan(
  document: unknown,
  registry: Registry,
  deployment: Deployment,
): Validated<{ plan: Plan; admitted: AdmittedPlan }> {
  const valid = validatePlan(document);
  if (!valid.ok) return valid;
  const plan = valid.value;
  const name = plan.policy ?? DEFAULT_POLICY;
  const policy = registry.policies.get(name);
  if (policy === undefined) {
    const expected = `one of ${[...registry.policies.keys()].join(', ')}`;
    return {
      ok: false,
      faults: [fault('ERR_UNKNOWN_POLICY', `no policy "${name}"`, { pointer: '/policy', expected })],
    };
  }
  const rules: Rules = {
    plan,
    policy,
    deployment,
    read: selectorsOf(policy.read, plan.plan_id),
    write: selectorsOf(policy.write, plan.plan_id),
    processors: registry.processors,
  };
  const admitted = resolveSteps(plan, rules);
  return admitted.ok ? { ok: true, value: { plan, admitted: admitted.value } } : admitted;
}
