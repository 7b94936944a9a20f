import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { parseSubmission } from '../../services/admission/command.ts';
import { ruleOn } from '../../services/admission/decide.ts';
import type { KnownJudgements } from '../../services/admission/judgements.ts';
import type { Deployment } from '../../services/admission/resolve-step.ts';
import type { Fault } from '../../shared/errors/isomorph-error.ts';
import type { Policy } from '../../shared/plan/registry.ts';
import { loadRegistry } from '../../shared/registry/registry.ts';
import { probePlan } from '../harness/probe-plan.ts';
import { suite } from '../harness/suite.ts';
import { judgedHere } from './judged-here.ts';

const test = suite('what a policy lets a plan do');

const registry = await loadRegistry(fileURLToPath(new URL('../fixtures/registry', import.meta.url)));
const deployment: Omit<Deployment, keyof KnownJudgements> = {
  pinnedImage: () => undefined,
  defaultAdapter: 'mock',
  adapters: ['mock'],
  secretExists: () => true,
  kv: undefined,
  queue: undefined,
};

/** Everything that is wrong with a plan of one step, as [code, place]. */
function faultsOf(
  step: Readonly<Record<string, unknown>>,
  more: Readonly<Record<string, unknown>> = {},
  changes: Partial<Policy> = {},
  processors = registry.processors,
): unknown[] {
  const parsed = parseSubmission(Buffer.from(JSON.stringify(probePlan('plan', step, more))));
  if (!parsed.ok) throw new Error(parsed.fault.message);
  const [name, policy] = [...registry.policies][0] ?? [];
  if (name === undefined || policy === undefined) throw new Error('the fixtures have no policy');
  const policies = new Map([[name, { ...policy, ...changes }]]);
  return ruleOn(
    parsed.value,
    { ...registry, policies, processors },
    { ...deployment, ...judgedHere(parsed.value.document, { ...registry, processors }) },
  ).faults.map(({ code, pointer }: Fault) => [code, pointer]);
}

const exists = (path: string) => ({ use: 'artifact.exists@1', path });

test('a plan reads only what its policy selects: as an input, in a predicate of a step and of the plan', () => {
  assert.equal(faultsOf({ inputs: { first: '/artifacts/inputs/a.csv' } }), []);
  const elsewhere = '/artifacts/private/a.csv';
  assert.equal(faultsOf({ inputs: { first: '/artifacts/inputs/a.csv', second: elsewhere } }), [
    ['ERR_POLICY', '/steps/0/inputs/second'],
  ]);
  assert.equal(faultsOf({ predicates: [exists('out.json'), exists(elsewhere)] }), [
    ['ERR_POLICY', '/steps/0/predicates/1/path'],
  ]);
  assert.equal(faultsOf({}, { predicates: [exists(elsewhere)] }), [['ERR_POLICY', '/predicates/0/path']]);
});

test('a plan may always read what it writes, and nothing that only looks like it', () => {
  const narrow = { read: ['/artifacts/inputs/**'] };
  assert.equal(faultsOf({ inputs: { first: '/artifacts/outputs/{plan_id}/early/a.csv' } }, {}, narrow), []);
  assert.equal(faultsOf({ predicates: [exists('out.json')] }, {}, narrow), []);
  assert.equal(faultsOf({ inputs: { first: '/artifacts/outputs/plan-2/early/a.csv' } }, {}, narrow), [
    ['ERR_POLICY', '/steps/0/inputs/first'],
  ]);
});

test('a plan writes only below what its policy selects', () => {
  assert.equal(faultsOf({ write_prefix: '/artifacts/outputs/{plan_id}/mine/' }), []);
  for (const prefix of ['/artifacts/outputs/', '/artifacts/outputs/other/', '/artifacts/inputs/']) {
    assert.equal(faultsOf({ write_prefix: prefix }), [['ERR_POLICY', '/steps/0/write_prefix']], prefix);
  }
});

test('whatever a policy says, no step writes what is another plan’s', () => {
  const wide = { write: ['/artifacts/**'] };
  for (const prefix of [
    '/artifacts/outputs/other/',
    '/artifacts/executions/other/',
    '/artifacts/metrics/',
    '/artifacts/plans/x/',
  ]) {
    assert.equal(faultsOf({ write_prefix: prefix }, {}, wide), [['ERR_POLICY', '/steps/0/write_prefix']], prefix);
  }
  for (const prefix of ['/artifacts/outputs/plan/', '/artifacts/metrics/plan/', '/artifacts/shared/']) {
    assert.equal(faultsOf({ write_prefix: prefix }, {}, wide), [], prefix);
  }
});

test('two steps that could write one path are refused, at the second', () => {
  const write_prefix = '/artifacts/outputs/{plan_id}/both/';
  const steps = ['a', 'b', 'c'].map((id) => ({
    id,
    processor: 'test/probe@1',
    ...(id === 'b' ? {} : { write_prefix }),
  }));
  assert.equal(faultsOf({}, { steps }), [['ERR_IMMUTABLE', '/steps/2/write_prefix']]);
  const below = { id: 'below', processor: 'test/probe@1', write_prefix: `${write_prefix}out.json/deep/` };
  assert.equal(faultsOf({}, { steps: [below, ...steps.slice(0, 2)] }), [['ERR_IMMUTABLE', '/steps/0/write_prefix']]);
});

test('one path is one path however the outputs of processors spell it', () => {
  const probe = registry.processors.get('test/probe@1');
  const [output] = probe?.outputs ?? [];
  if (probe === undefined || output === undefined) throw new Error('the fixtures have no probe');
  const spelled = { ...probe, ref: 'test/spelled@1', outputs: [{ ...output, path: '%6Fut.json' }] };
  const processors = new Map([...registry.processors, [spelled.ref, spelled]]);
  const write_prefix = '/artifacts/outputs/{plan_id}/both/';
  const steps = ['test/probe@1', spelled.ref].map((processor, index) => ({ id: `s${index}`, processor, write_prefix }));
  assert.equal(faultsOf({}, { steps }, {}, processors), [['ERR_IMMUTABLE', '/steps/1/write_prefix']]);
});

test('a policy bounds adapters, steps and budget', () => {
  assert.equal(faultsOf({}, {}, { adapters: [] }), [['ERR_ADAPTER', '/steps/0/processor']]);
  assert.equal(faultsOf({ adapter: 'mock' }, {}, { adapters: ['local'] }), [['ERR_ADAPTER', '/steps/0/adapter']]);
  assert.equal(faultsOf({}, {}, { max_steps: 0 }), [['ERR_POLICY', '/steps']]);
  assert.equal(faultsOf({}, {}, { max_budget_usd_micro: 1 }), [['ERR_POLICY', '/budget/limit_usd_micro']]);
});

test('everything that is wrong with a step is told at once, each with its place', () => {
  const faults = faultsOf({
    needs: ['ghost'],
    write_prefix: 'relative/',
    inputs: {
      first: 'relative.csv',
      second: { step: 'nobody', output: 'out.json' },
      constructor: '/artifacts/inputs/a',
    },
    params: { work_ms: -1 },
    predicates: [{ use: 'no.such@1' }],
  });
  assert.equal(
    faults.map((fault) => (fault as string[])[1]),
    [
      '/steps/0/write_prefix',
      '/steps/0/needs/0',
      '/steps/0/predicates/0/use',
      '/steps/0/params/work_ms',
      '/steps/0/inputs/first',
      '/steps/0/inputs/second/step',
      '/steps/0/inputs/constructor',
    ],
  );
});

test('an output that its processor does not declare is no input of another step', () => {
  const producer = { id: 'early', processor: 'test/probe@1' };
  const consumer = {
    id: 'late',
    processor: 'test/probe@1',
    inputs: { first: { step: 'early', output: 'other.json' } },
  };
  assert.equal(faultsOf({}, { steps: [producer, consumer] }), [
    ['ERR_INPUT_UNDECLARED', '/steps/1/inputs/first/output'],
  ]);
});

test.run();
