import * as assert from 'uvu/assert';
import { suite } from '../harness/suite.ts';
import { type Document, planOf, RANGE, registryOf, saidOf, stepOf, type Under } from './refused-plan.ts';

const test = suite('what a refused plan says');

test('each refusal of a plan names what is wrong, where, and what would do', () => {
  const cases: readonly [Document, Under, ...string[]][] = [
    [planOf(), {}],
    [planOf({ policy: 'none' }), {}, '/policy ERR_UNKNOWN_POLICY: no policy "none"; expected one of default, open'],
    [
      planOf(),
      { registry: registryOf({}, { max_steps: 0, max_budget_usd_micro: 4_999 }) },
      '/steps ERR_POLICY: 1 steps; expected at most 0 under policy default',
      '/budget/limit_usd_micro ERR_POLICY: the budget is larger than the policy allows; expected at most 4999 under policy default',
    ],
    [
      planOf({ budget: { limit_usd_micro: 399 } }),
      {},
      '/budget/limit_usd_micro ERR_BUDGET_BOUND: one attempt of every step may cost 400 micro-dollars; expected at least 400',
    ],
    [
      planOf({ budget: { limit_usd_micro: 400 } }),
      { registry: registryOf({}, { max_budget_usd_micro: 400, max_steps: 1 }) },
    ],
    [
      planOf({
        steps: [1, 2].map(() => ({ id: 'one', processor: 'test/probe@1' })),
      }),
      {},
      '/steps/1/id ERR_DUPLICATE_STEP: "one" is used twice; expected an id of its own',
    ],
    [
      planOf({
        steps: ['a', 'b', 'c'].map((id, index, all) => ({
          id,
          processor: 'test/probe@1',
          needs: index === 0 ? [] : [all[3 - index]],
        })),
      }),
      {},
      '/steps/1/needs ERR_CYCLE: steps need each other in a circle: b → c → b; expected needs without a circle',
    ],
    [
      stepOf({ processor: 'test/none@1', needs: ['ghost'] }),
      {},
      '/steps/0/needs/0 ERR_UNKNOWN_NEED: no step "ghost"; expected a step of this plan',
      '/steps/0/processor ERR_UNKNOWN_PROCESSOR: no processor test/none@1; expected one of test/probe@1, test/other@1',
    ],
    [
      stepOf({ write_prefix: '/artifacts/inputs/' }),
      {},
      '/steps/0/write_prefix ERR_POLICY: policy default forbids writing /artifacts/inputs/; expected a prefix under one of /artifacts/outputs/{plan_id}/**, /artifacts/scratch/{plan_id}/**',
    ],
    [
      stepOf({ inputs: { table: '/artifacts/private/a', more: '/artifacts/inputs/a' } }),
      {},
      '/steps/0/inputs/table ERR_POLICY: policy default forbids reading /artifacts/private/a; expected a path selected by one of /artifacts/inputs/**, /artifacts/shared/**',
      '/steps/0/inputs/more ERR_INPUT_UNDECLARED: test/probe@1 takes no input "more"; expected one of table, key',
    ],
    [
      stepOf({ inputs: { key: { step: 'ghost', output: 'out.json' } } }),
      {},
      '/steps/0/inputs/key/step ERR_UNKNOWN_NEED: no step "ghost"; expected a step of this plan',
    ],
    [
      stepOf({}),
      { registry: registryOf({ inputs: { artifacts: { must: { required: true } }, params: {} } }) },
      '/steps/0/inputs ERR_INPUT_UNDECLARED: test/probe@1 needs the input "must"; expected an input "must"',
    ],
    [
      stepOf({ inputs: { table: '/artifacts/inputs/a' } }),
      { registry: registryOf({ inputs: { artifacts: {}, params: {} } }) },
      '/steps/0/inputs/table ERR_INPUT_UNDECLARED: test/probe@1 takes no input "table"; expected one of none',
    ],
    [
      stepOf({ inputs: Object.fromEntries(RANGE.map((n) => [`i${n}`, '/artifacts/inputs/a'])) }),
      {},
      '/steps/0/inputs ERR_TOO_LARGE: 33 inputs; expected at most 32',
    ],
    [
      stepOf({ adapter: 'modal' }),
      {},
      '/steps/0/adapter ERR_ADAPTER: test/probe@1 does not run on modal; expected one of mock',
    ],
    [
      planOf({ adapter: 'modal' }),
      { registry: registryOf({ adapters: ['local', 'modal'] }) },
      '/steps/0/processor ERR_ADAPTER: policy default forbids modal; expected one of mock, local',
    ],
    // It isolates nothing, so it gives none of what would be a word alone; its secrets are its own.
    [
      stepOf({ adapter: 'worker' }),
      {
        registry: registryOf(
          {
            adapters: ['worker'],
            secrets: { required: ['TOKEN'] },
            runtime: {
              ...{ cpu: 1, memory_gb: 1, timeout_s: 30, network: 'artifacts', scratch_volume_gb: 1 },
              gpu: { model: 'any', count: 1, mem_gb: 1 },
            },
          },
          { adapters: ['worker'] },
        ),
        deployment: { adapters: ['worker'], secretExists: () => false },
      },
      '/steps/0/adapter ERR_CAPABILITY: worker cannot give test/probe@1 the network "artifacts" alone; expected network internet in its registry entry, or another adapter',
      '/steps/0/adapter ERR_CAPABILITY: worker cannot give test/probe@1 a gpu; expected no gpu in its registry entry, or another adapter',
      '/steps/0/adapter ERR_CAPABILITY: worker cannot give test/probe@1 a scratch volume; expected no scratch_volume_gb in its registry entry, or another adapter',
    ],
    [
      stepOf({ adapter: 'local' }),
      { registry: registryOf({ adapters: ['local'] }), deployment: { adapters: [] } },
      '/steps/0/adapter ERR_ADAPTER: no dispatcher serves local; expected one of none',
    ],
    [
      stepOf({}),
      {
        registry: registryOf({ secrets: { required: ['API_KEY', 'TOKEN'] } }, { secrets: ['TOKEN'] }),
        deployment: { secretExists: () => false },
      },
      '/steps/0/processor ERR_POLICY: policy default forbids secret API_KEY; expected undefined',
      '/steps/0/processor ERR_MISSING_SECRET: test/probe@1 needs secret TOKEN; expected a secret named TOKEN',
    ],
    [
      stepOf({ requires: { kv: { durable: true }, queue: { dedupe_s: 60, exact_stats: true } } }),
      { registry: registryOf({ scratch: ['kv', 'queue'] }), deployment: { queue: { dedupeS: 5, exactStats: false } } },
      '/steps/0/requires/kv ERR_CAPABILITY: no kv is configured; expected a deployment with KV_URL',
      '/steps/0/requires/queue/dedupe_s ERR_CAPABILITY: the configured queue has dedupe_s 5; expected at least 60',
      '/steps/0/requires/queue/exact_stats ERR_CAPABILITY: the configured queue has exact_stats false; expected true',
    ],
    [
      stepOf({}),
      { registry: registryOf({ scratch: ['queue'] }) },
      '/steps/0/processor ERR_CAPABILITY: no queue is configured; expected a deployment with QUEUE_URL',
    ],
    [stepOf({}), { registry: registryOf({ scratch: ['kv'] }), deployment: { kv: {} } }],
    [
      stepOf({ params: { deep: 1 } }),
      {},
      '/steps/0/params/deep ERR_PARAMS: it does not fit "type"; expected a value of type boolean',
    ],
  ];
  for (const [document, under, ...said] of cases) assert.equal(saidOf(document, under), said);
  // Told at the step and at the plan: what follows of its paths.
  const [lease] = saidOf(stepOf({ leases: [{ selector: '/artifacts/a**', mode: 'read' }] }));
  assert.match(lease ?? '', /^\/steps\/0\/leases\/0\/selector ERR_CHARACTER: /);
  const [relative] = saidOf(planOf({ predicates: [{ use: 'artifact.exists@1', path: 'out.json' }] }));
  assert.match(relative ?? '', /^\/predicates\/0\/path ERR_BAD_FACET: /);
});

test('an output that there is not is told with those that there are', () => {
  const late = { id: 'late', processor: 'test/probe@1', inputs: { table: { step: 'one', output: 'none.json' } } };
  const said = saidOf(planOf({ steps: [{ id: 'one', processor: 'test/probe@1' }, late] }));
  assert.equal(said, [
    '/steps/1/inputs/table/output ERR_INPUT_UNDECLARED: test/probe@1 has no output "none.json"; expected one of out.json, log.txt',
  ]);
});

test('a document that is no plan is told by its schema, at most twenty faults at once', () => {
  assert.equal(saidOf({ ...planOf(), title: 7 }), [
    '/title ERR_SCHEMA: must be string; expected a value of type string',
  ]);
  const steps = RANGE.map(() => 'none');
  assert.is(saidOf(planOf({ steps })).length, 20);
});

test('a long circle is told by its first twenty steps', () => {
  const ids = Array.from({ length: 30 }, (_, index) => `s${index}`);
  const steps = ids.map((id, index) => ({ id, processor: 'test/probe@1', needs: [ids[(index + 1) % 30]] }));
  const [said] = saidOf(planOf({ steps, budget: { limit_usd_micro: 10_000 } }));
  assert.match(said ?? '', /circle: s0 → s1 → .* → s19 → …; expected/);
});

test('leases are counted over the whole plan', () => {
  const lease = { selector: '/artifacts/inputs/', mode: 'read' };
  const steps = (counts: readonly number[]): Document =>
    planOf({
      steps: counts.map((count, index) => ({
        id: `s${index}`,
        processor: 'test/probe@1',
        leases: Array.from({ length: count }, () => lease),
      })),
    });
  assert.equal(saidOf(steps([100, 100, 56])), []);
  assert.equal(saidOf(steps([100, 100, 57])), ['/steps ERR_TOO_LARGE: 257 leases; expected at most 256 in a plan']);
});

test.run();
