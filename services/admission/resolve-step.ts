import { type Fault, fault, IsomorphError } from '../../shared/errors/isomorph-error.ts';
import type { Adapter } from '../../shared/ids/adapter.ts';
import { outputPrefix } from '../../shared/ids/ids.ts';
import { parseSelector, type Selector, selectorCovers, selectorMatches } from '../../shared/ids/selector.ts';
import { canonicalWorldPath, joinWorldPath, type PathKind } from '../../shared/ids/world-path.ts';
import type { AdmittedPredicate, AdmittedStep } from '../../shared/plan/admitted.ts';
import type { Plan, PlanStep, PredicateCall } from '../../shared/plan/plan.ts';
import { predicateFaults, predicateOf } from '../../shared/plan/predicates/index.ts';
import type { Policy, Processor } from '../../shared/plan/registry.ts';
import { checkAgainst } from '../../shared/schema/validate.ts';
import { type ConfiguredScratch, scratchFaults } from './check-scratch.ts';
import type { KnownImages } from './images.ts';
import { type KnownSecrets, secretFaults } from './secrets.ts';

/** What a deployment can do; the rest of the world as admission sees it. */
export interface Deployment extends ConfiguredScratch, KnownSecrets, KnownImages {
  /** Where a step runs that names no adapter. */
  readonly defaultAdapter: Adapter;
  /** Adapters that a dispatcher of this deployment serves. */
  readonly adapters: readonly Adapter[];
}

/** Everything a step is judged by. */
export interface Context {
  readonly plan: Plan;
  readonly policy: Policy;
  readonly deployment: Deployment;
  readonly read: readonly Selector[];
  readonly write: readonly Selector[];
  readonly processors: ReadonlyMap<string, Processor>;
}

/** Selectors of a policy with the plan's id filled in. */
export const selectorsOf = (texts: readonly string[], planId: string): Selector[] =>
  texts.map((text) => parseSelector(text, { plan_id: planId }));

/** The largest receipt must stay inside one event. */
const MAX_INPUTS = 32;

/** Runs `make`, turning a path error into a fault at `pointer`. */
function attempt<T>(faults: Fault[], pointer: string, make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof IsomorphError)) throw error;
    faults.push({ ...error.toFault(), pointer });
    return undefined;
  }
}

/** `{plan_id}` in a path stands for the id of the plan, so that one plan file serves many runs. */
const expand = (context: Context, path: string): string => path.replaceAll('{plan_id}', context.plan.plan_id);

function canonical(
  context: Context,
  path: string,
  kind: PathKind,
  pointer: string,
  faults: Fault[],
): string | undefined {
  return attempt(faults, pointer, () => canonicalWorldPath(expand(context, path), kind));
}

export function writePrefix(context: Context, step: PlanStep, pointer: string, faults: Fault[]): string {
  const fallback = outputPrefix(context.plan.plan_id, step.id);
  const wanted = step.write_prefix ?? fallback;
  const place = `${pointer}/write_prefix`;
  const prefix = canonical(context, wanted, 'prefix', place, faults);
  if (prefix === undefined) return fallback;
  if (!context.write.some((selector) => selectorCovers(selector, prefix))) {
    const expected = `a prefix under one of ${context.policy.write.join(', ')}`;
    faults.push(
      fault('ERR_POLICY', `policy ${context.policy.name} forbids writing ${prefix}`, { pointer: place, expected }),
    );
  }
  return prefix;
}

function checkReadable(context: Context, path: string, pointer: string, faults: Fault[]): void {
  // A plan may always read what it writes itself.
  if ([...context.read, ...context.write].some((selector) => selectorMatches(selector, path))) return;
  const expected = `a path selected by one of ${context.policy.read.join(', ')}`;
  faults.push(fault('ERR_POLICY', `policy ${context.policy.name} forbids reading ${path}`, { pointer, expected }));
}

function resolveInput(
  context: Context,
  input: NonNullable<PlanStep['inputs']>[string],
  prefixes: ReadonlyMap<string, string>,
  pointer: string,
  faults: Fault[],
): string | undefined {
  if (typeof input === 'string') {
    const path = canonical(context, input, 'exact', pointer, faults);
    if (path !== undefined) checkReadable(context, path, pointer, faults);
    return path;
  }
  const source = context.plan.steps.find((step) => step.id === input.step);
  const prefix = prefixes.get(input.step);
  if (source === undefined || prefix === undefined) {
    faults.push(
      fault('ERR_UNKNOWN_NEED', `no step "${input.step}"`, {
        pointer: `${pointer}/step`,
        expected: 'a step of this plan',
      }),
    );
    return undefined;
  }
  const outputs = context.processors.get(source.processor)?.outputs.map((output) => output.path);
  if (outputs !== undefined && !outputs.includes(input.output)) {
    const expected = `one of ${outputs.join(', ')}`;
    faults.push(
      fault('ERR_INPUT_UNDECLARED', `${source.processor} has no output "${input.output}"`, {
        pointer: `${pointer}/output`,
        expected,
      }),
    );
    return undefined;
  }
  return attempt(faults, pointer, () => joinWorldPath(prefix, input.output));
}

function resolveInputs(
  context: Context,
  step: PlanStep,
  processor: Processor,
  prefixes: ReadonlyMap<string, string>,
  pointer: string,
  faults: Fault[],
): Record<string, string> {
  const declared = processor.inputs.artifacts;
  const given = Object.entries(step.inputs ?? {});
  if (given.length > MAX_INPUTS) {
    faults.push(
      fault('ERR_TOO_LARGE', `${given.length} inputs`, {
        pointer: `${pointer}/inputs`,
        expected: `at most ${MAX_INPUTS}`,
      }),
    );
    return {};
  }
  const inputs: Record<string, string> = {};
  for (const [name, input] of given) {
    const place = `${pointer}/inputs/${name}`;
    if (declared[name] === undefined) {
      const expected = `one of ${Object.keys(declared).join(', ') || 'none'}`;
      faults.push(
        fault('ERR_INPUT_UNDECLARED', `${step.processor} takes no input "${name}"`, { pointer: place, expected }),
      );
      continue;
    }
    const path = resolveInput(context, input, prefixes, place, faults);
    if (path !== undefined) inputs[name] = path;
  }
  for (const [name, { required }] of Object.entries(declared)) {
    if (!required || step.inputs?.[name] !== undefined) continue;
    faults.push(
      fault('ERR_INPUT_UNDECLARED', `${step.processor} needs the input "${name}"`, {
        pointer: `${pointer}/inputs`,
        expected: `an input "${name}"`,
      }),
    );
  }
  return inputs;
}

function checkAdapter(
  context: Context,
  adapter: Adapter,
  processor: Processor,
  pointer: string,
  faults: Fault[],
): void {
  const refuse = (message: string, allowed: readonly string[]): void => {
    faults.push(fault('ERR_ADAPTER', message, { pointer, expected: `one of ${allowed.join(', ') || 'none'}` }));
  };
  const { policy, deployment } = context;
  if (!processor.adapters.includes(adapter)) refuse(`${processor.ref} does not run on ${adapter}`, processor.adapters);
  else if (!policy.adapters.includes(adapter)) refuse(`policy ${policy.name} forbids ${adapter}`, policy.adapters);
  else if (!deployment.adapters.includes(adapter)) refuse(`no dispatcher serves ${adapter}`, deployment.adapters);
}

/** A predicate call with its paths canonical: relative ones are below `base`. */
export function resolvePredicate(
  context: Context,
  call: PredicateCall,
  base: string | undefined,
  pointer: string,
  faults: Fault[],
): AdmittedPredicate {
  const found = predicateFaults(call, pointer);
  faults.push(...found);
  const resolved: Record<string, unknown> = { ...call };
  for (const name of found.length > 0 ? [] : (predicateOf(call)?.paths ?? [])) {
    const text = expand(context, String(resolved[name]));
    const place = `${pointer}/${name}`;
    const path = attempt(faults, place, () =>
      text.startsWith('/') || base === undefined ? canonicalWorldPath(text, 'exact') : joinWorldPath(base, text),
    );
    if (path === undefined) continue;
    checkReadable(context, path, place, faults);
    resolved[name] = path;
  }
  return { pointer, call: resolved as PredicateCall };
}

export interface ResolvedStep {
  readonly step: AdmittedStep;
  readonly predicates: readonly AdmittedPredicate[];
}

const needsOf = (step: PlanStep): string[] => {
  const sources = Object.values(step.inputs ?? {}).flatMap((input) => (typeof input === 'string' ? [] : [input.step]));
  return [...new Set([...(step.needs ?? []), ...sources])];
};

/** Judges one step and fills in its defaults; every fault goes to `faults` with its place. */
export function resolveStep(
  context: Context,
  step: PlanStep,
  index: number,
  prefixes: ReadonlyMap<string, string>,
  faults: Fault[],
): ResolvedStep | undefined {
  const pointer = `/steps/${index}`;
  const needs = needsOf(step);
  for (const [position, need] of (step.needs ?? []).entries()) {
    if (prefixes.has(need)) continue;
    faults.push(
      fault('ERR_UNKNOWN_NEED', `no step "${need}"`, {
        pointer: `${pointer}/needs/${position}`,
        expected: 'a step of this plan',
      }),
    );
  }
  for (const [position, { selector }] of (step.leases ?? []).entries()) {
    attempt(faults, `${pointer}/leases/${position}/selector`, () => parseSelector(selector));
  }
  const prefix = prefixes.get(step.id) ?? outputPrefix(context.plan.plan_id, step.id);
  const predicates = (step.predicates ?? []).map((call, position) =>
    resolvePredicate(context, call, prefix, `${pointer}/predicates/${position}`, faults),
  );
  const processor = context.processors.get(step.processor);
  if (processor === undefined) {
    const expected = `one of ${[...context.processors.keys()].join(', ')}`;
    faults.push(
      fault('ERR_UNKNOWN_PROCESSOR', `no processor ${step.processor}`, { pointer: `${pointer}/processor`, expected }),
    );
    return undefined;
  }
  const adapter = step.adapter ?? context.plan.adapter ?? context.deployment.defaultAdapter;
  checkAdapter(
    context,
    adapter,
    processor,
    step.adapter === undefined ? `${pointer}/processor` : `${pointer}/adapter`,
    faults,
  );
  faults.push(...secretFaults(context, adapter, processor, `${pointer}/processor`));
  faults.push(...scratchFaults(context.deployment, step, processor, pointer));
  faults.push(...checkAgainst(processor.inputs.params, step.params ?? {}, 'ERR_PARAMS', `${pointer}/params`));
  const image = context.deployment.pinnedImage(adapter, processor.image);
  return {
    predicates,
    step: {
      id: step.id,
      processor: step.processor,
      params: step.params ?? {},
      inputs: resolveInputs(context, step, processor, prefixes, pointer, faults),
      needs,
      adapter,
      ...(image === undefined ? {} : { image }),
      write_prefix: prefix,
      retry: {
        max_attempts: step.retry?.max_attempts ?? 1,
        backoff_s: step.retry?.backoff_s ?? 1,
        backoff_factor: step.retry?.backoff_factor ?? 2,
      },
    },
  };
}
