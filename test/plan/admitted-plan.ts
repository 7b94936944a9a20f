/** Admitted plans for tests of what is decided by them. */

import { outputPrefix } from '../../shared/ids/ids.ts';
import type { AdmittedPlan, AdmittedStep } from '../../shared/plan/admitted.ts';
import type { Processor } from '../../shared/plan/registry.ts';

export const processor = (changes: Partial<Processor> = {}): Processor => ({
  ref: 'test/probe@1',
  description: 'probes',
  image: 'isomorph.test/probe:1',
  entrypoint: ['node', 'processor.ts'],
  runtime: { cpu: 0.25, memory_gb: 0.125, timeout_s: 30, network: 'artifacts' },
  adapters: ['mock'],
  secrets: { required: [] },
  inputs: { artifacts: {}, params: {} },
  outputs: [{ path: 'out.json', content_type: 'application/json', required: true }],
  scratch: [],
  read_only: false,
  // Reserves 100 + 10 × 30 = 400.
  cost: { usd_micro_fixed: 100, usd_micro_per_s: 10 },
  ...changes,
});

export const step = (id: string, changes: Partial<AdmittedStep> = {}): AdmittedStep => ({
  id,
  processor: 'test/probe@1',
  params: {},
  inputs: {},
  needs: [],
  adapter: 'mock',
  write_prefix: outputPrefix('plan', id),
  retry: { max_attempts: 3, backoff_s: 1, backoff_factor: 2 },
  ...changes,
});

export const planOf = (steps: readonly AdmittedStep[], changes: Partial<AdmittedPlan> = {}): AdmittedPlan => ({
  v: 1,
  plan_id: 'plan',
  title: 'a plan',
  policy: 'default',
  budget_limit_usd_micro: 10_000,
  steps,
  predicates: [],
  processors: {
    'test/probe@1': processor(),
    'test/reader@1': processor({ ref: 'test/reader@1', read_only: true }),
  },
  ...changes,
});
