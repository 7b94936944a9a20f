import * as assert from 'uvu/assert';
import { parseSubmission } from '../../services/admission/command.ts';
import { decideSubmit, ruleOn } from '../../services/admission/decide.ts';
import { resolvePlan } from '../../services/admission/resolve-plan.ts';
import type { Fault } from '../../shared/errors/isomorph-error.ts';
import { emptyState } from '../../shared/ledger/state.ts';
import { suite } from '../harness/suite.ts';
import { dataOf } from '../ledger/given.ts';
import { DEPLOYMENT, planOf, registryOf, stepOf, told } from './refused-plan.ts';

const test = suite('what an admitted plan is');

test('what is admitted has every default filled in, in the order in which it can run', () => {
  const resolved = resolvePlan(
    planOf({
      title: 'Irises',
      steps: [
        {
          id: 'late',
          processor: 'test/other@1',
          needs: ['early'],
          inputs: { table: { step: 'early', output: 'out.json' }, key: '/artifacts/inputs/{plan_id}/k' },
          predicates: [{ use: 'artifact.exists@1', path: 'out.json' }],
        },
        {
          id: 'early',
          processor: 'test/probe@1',
          params: { deep: true },
          retry: { max_attempts: 4, backoff_s: 3, backoff_factor: 5 },
        },
      ],
      predicates: [{ use: 'artifact.exists@1', path: '/artifacts/outputs/{plan_id}/late/log.txt' }],
    }),
    registryOf(),
    { ...DEPLOYMENT, faultsAt: () => [], pinnedImage: (_adapter, image) => `${image}@pinned` },
  );
  if (!resolved.ok) throw new Error(told(resolved.faults[0] as Fault));
  const { steps, predicates, title, policy, processors, plan_id, budget_limit_usd_micro, v } = resolved.value.admitted;
  assert.equal([v, plan_id, title, policy, budget_limit_usd_micro], [1, 'iris', 'Irises', 'default', 5_000]);
  assert.equal(Object.keys(processors), ['test/other@1', 'test/probe@1']);
  const both = { adapter: 'mock', image: 'isomorph.test/probe:1@pinned' };
  assert.equal(steps, [
    {
      id: 'early',
      processor: 'test/probe@1',
      params: { deep: true },
      inputs: {},
      needs: [],
      write_prefix: '/artifacts/outputs/iris/early/',
      retry: { max_attempts: 4, backoff_s: 3, backoff_factor: 5 },
      ...both,
    },
    {
      id: 'late',
      processor: 'test/other@1',
      params: {},
      inputs: { table: '/artifacts/outputs/iris/early/out.json', key: '/artifacts/inputs/iris/k' },
      needs: ['early'],
      write_prefix: '/artifacts/outputs/iris/late/',
      retry: { max_attempts: 1, backoff_s: 1, backoff_factor: 2 },
      ...both,
    },
  ]);
  assert.equal(predicates, [
    {
      pointer: '/steps/0/predicates/0',
      call: { use: 'artifact.exists@1', path: '/artifacts/outputs/iris/late/out.json' },
    },
    { pointer: '/predicates/0', call: { use: 'artifact.exists@1', path: '/artifacts/outputs/iris/late/log.txt' } },
  ]);
  const untitled = resolvePlan(planOf({ adapter: 'local' }), registryOf({ adapters: ['local'] }), {
    ...DEPLOYMENT,
    faultsAt: () => [],
    adapters: ['local'],
  });
  assert.ok(untitled.ok && untitled.value.admitted.title === 'iris');
  assert.is(untitled.ok && untitled.value.admitted.steps[0]?.adapter, 'local');
});

test('what an admitted plan declares and stores is its own', () => {
  const leases = [{ selector: '/artifacts/inputs/', mode: 'read' }];
  const parsed = parseSubmission(new TextEncoder().encode(JSON.stringify(stepOf({ leases }))));
  if (!parsed.ok) throw new Error(parsed.fault.message);
  const ruling = ruleOn(parsed.value, registryOf(), { ...DEPLOYMENT, faultsAt: () => [] });
  assert.match(ruling.admitted?.document.path ?? '', /^\/artifacts\/plans\/iris\/admitted-[0-9a-f]{16}\.json$/);
  const command = { ruling, nowMs: 0, principal: 'ann', commandSeq: 3, declareLeases: true };
  const { drafts } = decideSubmit(emptyState('iris'), command);
  assert.equal(dataOf(drafts, 'lease.declared'), { step_id: 'one', ...leases[0] });
  const undeclared = decideSubmit(emptyState('iris'), { ...command, declareLeases: false });
  assert.equal(
    undeclared.drafts.map(({ kind }) => kind),
    ['plan.submitted', 'plan.admitted'],
  );
});

test.run();
