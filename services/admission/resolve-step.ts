import type { ErrorCode } from '../../shared/errors/codes.ts';
import { type Fault, fault, IsomorphError } from '../../shared/errors/isomorph-error.ts';
import type { Adapter } from '../../shared/ids/adapter.ts';
import { outputPrefix } from '../../shared/ids/ids.ts';
import { parseSelector, type Selector, selectorCovers, selectorMatches } from '../../shared/ids/selector.ts';
import { canonicalWorldPath, joinWorldPath } from '../../shared/ids/world-path.ts';
import type { AdmittedPredicate, AdmittedStep } from '../../shared/plan/admitted.ts';
import type { Plan, PlanStep, PredicateCall } from '../../shared/plan/plan.ts';
import { predicateOf } from '../../shared/plan/predicates/index.ts';
import type { Policy, Processor } from '../../shared/plan/registry.ts';
import { type ConfiguredScratch, scratchFaults } from './check-scratch.ts';
import type { KnownImages } from './images.ts';
import type { KnownJudgements } from './judgements.ts';
import { runtimeFaults } from './runtimes.ts';
import { type KnownSecrets, secretFaults } from './secrets.ts';
import { stepSizeFaults } from './sizes.ts';

/** What a deployment can do; the rest of the world as admission sees it. */
export interface Deployment extends ConfiguredScratch, KnownSecrets, KnownImages, KnownJudgements {
  /** Where a step runs that names no adapter. */
  readonly defaultAdapter: Adapter;
  /** Adapters that a dispatcher of this deployment serves. */
  readonly adapters: readonly Adapter[];
}

/** What a plan is judged by. */
export interface Rules {
  readonly plan: Plan;
  readonly policy: Policy;
  readonly deployment: Deployment;
  readonly read: readonly Selector[];
  readonly write: readonly Selector[];
  readonly processors: ReadonlyMap<string, Processor>;
}

/** Everything a step is judged by. */
export interface StepRules extends Rules {
  /** Where each step of the plan writes. */
  readonly prefixes: ReadonlyMap<string, string>;
}

/** What was made of a part of a plan, and everything that is wrong with it. */
export interface Resolved<T> {
  readonly value: T;
  readonly faults: readonly Fault[];
}

const refused = (
  code: ErrorCode,
  message: string,
  place: { readonly pointer: string; readonly expected: string },
): Resolved<undefined> => ({ value: undefined, faults: [fault(code, message, place)] });

/** Selectors of a policy with the plan's id filled in. */
export const selectorsOf = (texts: readonly string[], planId: string): Selector[] =>
  texts.map((text) => parseSelector(text, { plan_id: planId }));

const MAX_INPUTS = 32;

/** What `make` gives; an error about a path is a fault at `pointer`. */
export function attempt<T>(pointer: string, make: () => T): Resolved<T | undefined> {
  try {
    return { value: make(), faults: [] };
  } catch (error) {
    if (!(error instanceof IsomorphError)) throw error;
    return { value: undefined, faults: [{ ...error.toFault(), pointer }] };
  }
}

/** `{plan_id}` in a path stands for the id of the plan, so that one plan file serves many runs. */
const expand = ({ plan }: Rules, path: string): string => path.replaceAll('{plan_id}', plan.plan_id);

/** Where a step writes: the default even when what it asks for is refused, so that the others can be judged. */
export function writePrefix(rules: Rules, step: PlanStep, pointer: string): Resolved<string> {
  const { plan, policy, write } = rules;
  const fallback = outputPrefix(plan.plan_id, step.id);
  const place = `${pointer}/write_prefix`;
  const { value: prefix, faults } = attempt(place, () =>
    canonicalWorldPath(expand(rules, step.write_prefix ?? fallback), 'prefix'),
  );
  if (prefix === undefined) return { value: fallback, faults };
  if (write.some((selector) => selectorCovers(selector, prefix))) return { value: prefix, faults: [] };
  const expected = `a prefix under one of ${policy.write.join(', ')}`;
  const why = fault('ERR_POLICY', `policy ${policy.name} forbids writing ${prefix}`, { pointer: place, expected });
  return { value: prefix, faults: [why] };
}

/** Why a plan may not read a path: its policy does not select it. What it writes itself it may always read. */
function readFaults({ policy, read, write }: Rules, path: string, pointer: string): Fault[] {
  if ([...read, ...write].some((selector) => selectorMatches(selector, path))) return [];
  const expected = `a path selected by one of ${policy.read.join(', ')}`;
  return [fault('ERR_POLICY', `policy ${policy.name} forbids reading ${path}`, { pointer, expected })];
}

/** A path that the plan names, canonical, if it may be read. */
function readable(rules: Rules, pointer: string, make: () => string): Resolved<string | undefined> {
  const { value: path, faults } = attempt(pointer, make);
  return path === undefined ? { value: path, faults } : { value: path, faults: readFaults(rules, path, pointer) };
}

/** A processor, and the place in the plan where it is judged. */
interface Where {
  readonly processor: Processor;
  readonly pointer: string;
}

type Input = NonNullable<PlanStep['inputs']>[string];

function resolveInput(context: StepRules, input: Input, pointer: string): Resolved<string | undefined> {
  if (typeof input === 'string') {
    return readable(context, pointer, () => canonicalWorldPath(expand(context, input), 'exact'));
  }
  const source = context.plan.steps.find((step) => step.id === input.step);
  const prefix = context.prefixes.get(input.step);
  if (source === undefined || prefix === undefined) {
    const place = { pointer: `${pointer}/step`, expected: 'a step of this plan' };
    return refused('ERR_UNKNOWN_NEED', `no step "${input.step}"`, place);
  }
  const outputs = context.processors.get(source.processor)?.outputs.map((output) => output.path);
  if (outputs !== undefined && !outputs.includes(input.output)) {
    const place = { pointer: `${pointer}/output`, expected: `one of ${outputs.join(', ')}` };
    return refused('ERR_INPUT_UNDECLARED', `${source.processor} has no output "${input.output}"`, place);
  }
  return attempt(pointer, () => joinWorldPath(prefix, input.output));
}

function resolveInputs(
  context: StepRules,
  step: PlanStep,
  { processor, pointer }: Where,
): Resolved<Record<string, string>> {
  const declared = processor.inputs.artifacts;
  const given = Object.entries(step.inputs ?? {});
  if (given.length > MAX_INPUTS) {
    const place = { pointer, expected: `at most ${MAX_INPUTS}` };
    return { value: {}, faults: [fault('ERR_TOO_LARGE', `${given.length} inputs`, place)] };
  }
  const resolved = given.map(([name, input]) => {
    const place = `${pointer}/${name}`;
    if (Object.hasOwn(declared, name)) return { name, ...resolveInput(context, input, place) };
    const expected = `one of ${Object.keys(declared).join(', ') || 'none'}`;
    const message = `${step.processor} takes no input "${name}"`;
    return { name, ...refused('ERR_INPUT_UNDECLARED', message, { pointer: place, expected }) };
  });
  const missing = Object.entries(declared)
    .filter(([name, { required }]) => required && !Object.hasOwn(step.inputs ?? {}, name))
    .map(([name]) =>
      fault('ERR_INPUT_UNDECLARED', `${step.processor} needs the input "${name}"`, {
        pointer,
        expected: `an input "${name}"`,
      }),
    );
  const paths = resolved.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value] as const]));
  return { value: Object.fromEntries(paths), faults: [...resolved.flatMap(({ faults }) => faults), ...missing] };
}

function adapterFaults({ policy, deployment }: Rules, adapter: Adapter, at: Where): Fault[] {
  const { processor, pointer } = at;
  const refuse = (message: string, allowed: readonly string[]): Fault[] => [
    fault('ERR_ADAPTER', message, { pointer, expected: `one of ${allowed.join(', ') || 'none'}` }),
  ];
  if (!processor.adapters.includes(adapter))
    return refuse(`${processor.ref} does not run on ${adapter}`, processor.adapters);
  if (!policy.adapters.includes(adapter)) return refuse(`policy ${policy.name} forbids ${adapter}`, policy.adapters);
  if (!deployment.adapters.includes(adapter)) return refuse(`no dispatcher serves ${adapter}`, deployment.adapters);
  return [];
}

/** A predicate call with its paths canonical: relative ones are below `base`. */
export function resolvePredicate(
  rules: Rules,
  call: PredicateCall,
  { base, pointer }: { readonly base?: string; readonly pointer: string },
): Resolved<AdmittedPredicate> {
  const unusable = rules.deployment.faultsAt(pointer);
  if (unusable.length > 0) return { value: { pointer, call }, faults: unusable };
  const resolved: Record<string, unknown> = { ...call };
  const faults: Fault[] = [];
  for (const name of predicateOf(call)?.paths ?? []) {
    const text = expand(rules, String(resolved[name]));
    const path = readable(rules, `${pointer}/${name}`, () =>
      text.startsWith('/') || base === undefined ? canonicalWorldPath(text, 'exact') : joinWorldPath(base, text),
    );
    faults.push(...path.faults);
    if (path.value !== undefined) resolved[name] = path.value;
  }
  return { value: { pointer, call: resolved as PredicateCall }, faults };
}

export interface ResolvedStep {
  readonly step: AdmittedStep;
  readonly predicates: readonly AdmittedPredicate[];
}

const needsOf = (step: PlanStep): string[] => {
  const sources = Object.values(step.inputs ?? {}).flatMap((input) => (typeof input === 'string' ? [] : [input.step]));
  return [...new Set([...(step.needs ?? []), ...sources])];
};

const needFaults = ({ prefixes }: StepRules, step: PlanStep, pointer: string): Fault[] =>
  (step.needs ?? []).flatMap((need, position) =>
    prefixes.has(need)
      ? []
      : [
          fault('ERR_UNKNOWN_NEED', `no step "${need}"`, {
            pointer: `${pointer}/needs/${position}`,
            expected: 'a step of this plan',
          }),
        ],
  );

const leaseFaults = (step: PlanStep, pointer: string): Fault[] =>
  (step.leases ?? []).flatMap(({ selector }, position) => [
    ...attempt(`${pointer}/leases/${position}/selector`, () => parseSelector(selector)).faults,
  ]);

/** One step with its defaults filled in; no value when there is no such processor. */
export function resolveStep(context: StepRules, step: PlanStep, index: number): Resolved<ResolvedStep | undefined> {
  const pointer = `/steps/${index}`;
  const { plan, deployment, processors } = context;
  const base = context.prefixes.get(step.id) ?? outputPrefix(plan.plan_id, step.id);
  const predicates = (step.predicates ?? []).map((call, position) =>
    resolvePredicate(context, call, { base, pointer: `${pointer}/predicates/${position}` }),
  );
  const faults = [
    ...needFaults(context, step, pointer),
    ...leaseFaults(step, pointer),
    ...predicates.flatMap((one) => one.faults),
  ];
  const processor = processors.get(step.processor);
  if (processor === undefined) {
    const place = { pointer: `${pointer}/processor`, expected: `one of ${[...processors.keys()].join(', ')}` };
    return {
      value: undefined,
      faults: [...faults, fault('ERR_UNKNOWN_PROCESSOR', `no processor ${step.processor}`, place)],
    };
  }
  const adapter = step.adapter ?? plan.adapter ?? deployment.defaultAdapter;
  const inputs = resolveInputs(context, step, { processor, pointer: `${pointer}/inputs` });
  const image = deployment.pinnedImage(adapter, processor.image);
  const queueTimeoutS = step.queue_timeout_s ?? plan.queue_timeout_s;
  const admitted: AdmittedStep = {
    id: step.id,
    processor: step.processor,
    params: step.params ?? {},
    inputs: inputs.value,
    needs: needsOf(step),
    adapter,
    ...(image === undefined ? {} : { image }),
    write_prefix: base,
    ...(queueTimeoutS === undefined ? {} : { queue_timeout_s: queueTimeoutS }),
    retry: {
      max_attempts: step.retry?.max_attempts ?? 1,
      backoff_s: step.retry?.backoff_s ?? 1,
      backoff_factor: step.retry?.backoff_factor ?? 2,
    },
  };
  const named = step.adapter === undefined ? 'processor' : 'adapter';
  return {
    value: { step: admitted, predicates: predicates.map(({ value }) => value) },
    faults: [
      ...faults,
      ...adapterFaults(context, adapter, { processor, pointer: `${pointer}/${named}` }),
      ...runtimeFaults(adapter, processor, `${pointer}/${named}`),
      ...secretFaults(context, adapter, processor, `${pointer}/processor`),
      ...scratchFaults(deployment, step, processor, pointer),
      ...deployment.faultsAt(`${pointer}/params`),
      ...inputs.faults,
      ...stepSizeFaults(admitted, processor, pointer),
    ],
  };
}
