import * as assert from 'uvu/assert';
import { parseCancel, parseSubmission } from '../../services/admission/command.ts';
import { decideCancel, decideSubmit, ruleOn } from '../../services/admission/decide.ts';
import type { KnownJudgements } from '../../services/admission/judgements.ts';
import { resolvePlan } from '../../services/admission/resolve-plan.ts';
import type { Deployment } from '../../services/admission/resolve-step.ts';
import type { Fault } from '../../shared/errors/isomorph-error.ts';
import { cidOf } from '../../shared/hash/cid.ts';
import { emptyState } from '../../shared/ledger/state.ts';
import type { Policy, Processor } from '../../shared/plan/registry.ts';
import type { Registry } from '../../shared/registry/registry.ts';
import { suite } from '../harness/suite.ts';
import { dataOf } from '../ledger/given.ts';
import { admittedChain } from '../ledger/plan-history.ts';
import { processor } from '../plan/admitted-plan.ts';

import { judgedHere } from './judged-here.ts';

const test = suite('what a refused plan says');

const POLICY: Policy = {
  name: 'default',
  description: 'its own outputs, and inputs',
  read: ['/artifacts/inputs/**', '/artifacts/shared/**'],
  write: ['/artifacts/outputs/{plan_id}/**', '/artifacts/scratch/{plan_id}/**'],
  adapters: ['mock', 'local'],
  secrets: ['*'],
  max_budget_usd_micro: 10_000,
  max_steps: 40,
};

const PROBE: Processor = processor({
  inputs: {
    artifacts: { table: { required: false }, key: { required: false } },
    params: { type: 'object', properties: { deep: { type: 'boolean' } } },
  },
  outputs: [
    { path: 'out.json', content_type: 'application/json', required: true },
    { path: 'log.txt', content_type: 'text/plain', required: false },
  ],
});

const registryOf = (changes: Partial<Processor> = {}, policy: Partial<Policy> = {}): Registry => ({
  processors: new Map([
    ['test/probe@1', { ...PROBE, ...changes }],
    ['test/other@1', { ...PROBE, ref: 'test/other@1', outputs: PROBE.outputs.slice(1) }],
  ]),
  policies: new Map([
    ['default', { ...POLICY, ...policy }],
    ['open', POLICY],
  ]),
});

const DEPLOYMENT: Omit<Deployment, keyof KnownJudgements> = {
  pinnedImage: () => undefined,
  defaultAdapter: 'mock',
  adapters: ['mock'],
  secretExists: () => true,
  kv: undefined,
  queue: undefined,
};

type Document = Readonly<Record<string, unknown>>;

const planOf = (more: Document = {}): Document => ({
  plan_id: 'iris',
  budget: { limit_usd_micro: 5_000 },
  steps: [{ id: 'one', processor: 'test/probe@1' }],
  ...more,
});
const stepOf = (more: Document): Document => planOf({ steps: [{ id: 'one', processor: 'test/probe@1', ...more }] });

const told = ({ pointer, code, message, expected }: Fault): string =>
  `${pointer} ${code}: ${message}; expected ${expected}`;

interface Under {
  readonly registry?: Registry;
  readonly deployment?: Partial<Deployment>;
}

function saidOf(document: Document, { registry = registryOf(), deployment = {} }: Under = {}): string[] {
  const resolved = resolvePlan(document, registry, { ...DEPLOYMENT, ...judgedHere(document, registry), ...deployment });
  return resolved.ok ? [] : resolved.faults.map(told);
}

const RANGE = Array.from({ length: 33 }, (_, index) => index);

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

test('a command that is none is told as that', () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const said = (parsed: ReturnType<typeof parseSubmission> | ReturnType<typeof parseCancel>): unknown[] =>
    parsed.ok ? ['taken'] : [parsed.planId, told(parsed.fault)];
  const id =
    '/plan_id ERR_PLAN_ID: the plan_id is missing or malformed; expected a string of the form [a-z0-9][a-z0-9_-]{0,62}';
  const object = ' ERR_SCHEMA: the command is no object; expected a JSON object';
  for (const parse of [parseSubmission, parseCancel]) {
    assert.equal(said(parse(bytes('[]'))), [undefined, object]);
    assert.equal(said(parse(bytes('null'))), [undefined, object]);
    assert.equal(said(parse(bytes('"iris"'))), [undefined, object]);
    assert.equal(said(parse(bytes('{"plan_id":"A"}'))), [undefined, id]);
    assert.match(String(said(parse(bytes('{')))[1]), / ERR_NOT_JSON: .+; expected one JSON object in UTF-8$/);
    assert.match(String(said(parse(Uint8Array.of(0x22, 0xe4)))[1]), / ERR_NOT_JSON: /);
  }
  assert.is(parseCancel(bytes('{"plan_id":"iris"}')).ok, true);
  const large = parseSubmission(bytes(`{"plan_id":"iris","title":"${'x'.repeat(262_144)}"}`));
  assert.equal(said(large), [
    'iris',
    ' ERR_TOO_LARGE: the plan has 262173 bytes; expected at most 262144 bytes in canonical form',
  ]);
  const exact = `{"plan_id":"iris","title":"${'x'.repeat(262_144 - 29)}"}`;
  assert.is(parseSubmission(bytes(exact)).ok, true, `${exact.length}`);
});

test('another body under a taken id, and a plan that is not there, are told with what is known', () => {
  const parsed = parseSubmission(new TextEncoder().encode(JSON.stringify({ ...planOf(), plan_id: 'plan' })));
  if (!parsed.ok) throw new Error(parsed.fault.message);
  const ruling = ruleOn(parsed.value, registryOf(), {
    ...DEPLOYMENT,
    ...judgedHere(parsed.value.document, registryOf()),
  });
  const command = { ruling, nowMs: 0, principal: 'ann', commandSeq: 3, declareLeases: false };
  const conflict = decideSubmit(admittedChain('plan').state, command);
  assert.is(
    conflict.kind === 'conflict' && told(conflict.fault),
    `/plan_id ERR_PLAN_CONFLICT: plan plan exists with another body; expected a new plan_id, or the body with CID ${cidOf('plan plan')}`,
  );
  const { refused } = decideCancel(emptyState('plan'), { commandSeq: 1, principal: 'anonymous', operators: [] });
  assert.equal([refused?.code, refused?.message, refused?.pointer], ['ERR_PLAN_UNKNOWN', 'no plan plan', '/plan_id']);
});

test('text that no event can hold is refused with its plan, since it has one', () => {
  const parsed = parseSubmission(new TextEncoder().encode('{"plan_id":"iris","title":"\\ud800"}'));
  assert.equal(
    [parsed.ok, !parsed.ok && parsed.planId, !parsed.ok && parsed.fault.code],
    [false, 'iris', 'ERR_NOT_I_JSON'],
  );
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
