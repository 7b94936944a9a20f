import type { KnownJudgements } from '../../services/admission/judgements.ts';
import { resolvePlan } from '../../services/admission/resolve-plan.ts';
import type { Deployment } from '../../services/admission/resolve-step.ts';
import type { Fault } from '../../shared/errors/isomorph-error.ts';
import type { Policy, Processor } from '../../shared/plan/registry.ts';
import type { Registry } from '../../shared/registry/registry.ts';
import { processor } from '../plan/admitted-plan.ts';
import { judgedHere } from './judged-here.ts';

export const POLICY: Policy = {
  name: 'default',
  description: 'its own outputs, and inputs',
  read: ['/artifacts/inputs/**', '/artifacts/shared/**'],
  write: ['/artifacts/outputs/{plan_id}/**', '/artifacts/scratch/{plan_id}/**'],
  adapters: ['mock', 'local'],
  secrets: ['*'],
  max_budget_usd_micro: 10_000,
  max_steps: 40,
};

export const PROBE: Processor = processor({
  inputs: {
    artifacts: { table: { required: false }, key: { required: false } },
    params: { type: 'object', properties: { deep: { type: 'boolean' } } },
  },
  outputs: [
    { path: 'out.json', content_type: 'application/json', required: true },
    { path: 'log.txt', content_type: 'text/plain', required: false },
  ],
});

export const registryOf = (changes: Partial<Processor> = {}, policy: Partial<Policy> = {}): Registry => ({
  processors: new Map([
    ['test/probe@1', { ...PROBE, ...changes }],
    ['test/other@1', { ...PROBE, ref: 'test/other@1', outputs: PROBE.outputs.slice(1) }],
  ]),
  policies: new Map([
    ['default', { ...POLICY, ...policy }],
    ['open', POLICY],
  ]),
});

export const DEPLOYMENT: Omit<Deployment, keyof KnownJudgements> = {
  pinnedImage: () => undefined,
  defaultAdapter: 'mock',
  adapters: ['mock'],
  secretExists: () => true,
  kv: undefined,
  queue: undefined,
};

export type Document = Readonly<Record<string, unknown>>;

export const planOf = (more: Document = {}): Document => ({
  plan_id: 'iris',
  budget: { limit_usd_micro: 5_000 },
  steps: [{ id: 'one', processor: 'test/probe@1' }],
  ...more,
});
export const stepOf = (more: Document): Document =>
  planOf({ steps: [{ id: 'one', processor: 'test/probe@1', ...more }] });

export const told = ({ pointer, code, message, expected }: Fault): string =>
  `${pointer} ${code}: ${message}; expected ${expected}`;

export interface Under {
  readonly registry?: Registry;
  readonly deployment?: Partial<Deployment>;
}

export function saidOf(document: Document, { registry = registryOf(), deployment = {} }: Under = {}): string[] {
  const resolved = resolvePlan(document, registry, { ...DEPLOYMENT, ...judgedHere(document, registry), ...deployment });
  return resolved.ok ? [] : resolved.faults.map(told);
}

export const RANGE = Array.from({ length: 33 }, (_, index) => index);
