import { PLAN_LIMITS, type Plan, PlanSchema } from '../../shared/plan/plan.ts';
import { validator } from '../../shared/schema/validate.ts';
import { suite } from '../harness/suite.ts';
import { ABSENT, type Change, refuses, takes } from './document-limits.ts';

const test = suite('documents of plans');

const parse = validator(PlanSchema, 'ERR_SCHEMA');

/** Its arguments are checked by the predicate's own schema. */
const CALL = { use: 'artifact.exists@1', path: '/artifacts/x', whatever: 1 };

const STEP: Plan['steps'][number] = {
  id: 'one',
  processor: 'test/probe@1',
  params: { any: [1, null, { thing: true }] },
  inputs: { data: '/artifacts/inputs/a.csv', other: { step: 'two', output: 'out.json' } },
  needs: ['two'],
  adapter: 'local',
  write_prefix: '/artifacts/outputs/p/one/',
  retry: { max_attempts: 3, backoff_s: 1.5, backoff_factor: 2 },
  requires: {
    kv: { ttl: 'ms', max_value_bytes: 1, durable: true },
    queue: {
      visibility: 'per-call',
      dedupe_s: 1,
      dedupe_survives_restart: true,
      redeliver_after_ack: false,
      ordering: 'approximate',
      max_body_bytes: 1,
      max_delay_s: 1,
      max_visibility_s: 1,
      exact_stats: true,
      refuses_used_receipts: true,
      durable: true,
    },
  },
  predicates: [CALL],
  leases: [{ selector: '/artifacts/outputs/p/', mode: 'write' }],
};

/** Every field that there is. */
const PLAN: Plan = {
  plan_id: 'p',
  title: 'a plan',
  policy: 'default',
  adapter: 'mock',
  timeout_s: 60,
  budget: { limit_usd_micro: 1000 },
  steps: [STEP],
  predicates: [CALL],
};

const chars = (count: number): string => 'x'.repeat(count);
const step = (changes: readonly Change[]): Change[] =>
  changes.map(([pointer, value]) => [`/steps/0${pointer}`, value] as const);

test('a plan with every field is taken, and one with the least', () => {
  takes(parse, PLAN, [['/title', 'a plan']]);
  takes(parse, { plan_id: 'p', budget: { limit_usd_micro: 0 }, steps: [] }, [
    ['/steps', [{ id: 'one', processor: 'test/probe@1' }]],
  ]);
});

test('what may be left out, and what not', () => {
  takes(parse, PLAN, [
    ...['title', 'policy', 'adapter', 'timeout_s', 'predicates'].map((name): Change => [`/${name}`, ABSENT]),
    ...step(
      ['params', 'inputs', 'needs', 'adapter', 'write_prefix', 'retry', 'requires', 'predicates', 'leases'].map(
        (name): Change => [`/${name}`, ABSENT],
      ),
    ),
    ...step([
      ['/retry/backoff_s', ABSENT],
      ['/retry/backoff_factor', ABSENT],
      ['/requires', {}],
      ['/requires/kv', {}],
      ['/requires/queue', {}],
    ]),
  ]);
  refuses(parse, PLAN, [
    ...['plan_id', 'budget', 'steps'].map((name): Change => [`/${name}`, ABSENT]),
    ['/budget/limit_usd_micro', ABSENT],
    ['/predicates/0/use', ABSENT],
    ...step([
      ['/id', ABSENT],
      ['/processor', ABSENT],
      ['/retry/max_attempts', ABSENT],
      ['/predicates/0/use', ABSENT],
      ['/leases/0/selector', ABSENT],
      ['/leases/0/mode', ABSENT],
    ]),
  ]);
});

test('no field more, at any depth; only params and arguments of predicates are open', () => {
  takes(parse, PLAN, [['/predicates/0/more', 1], ...step([['/params/more', 1]])]);
  refuses(parse, PLAN, [
    ['/more', 1],
    ['/budget/more', 1],
    ...step([
      ['/more', 1],
      ['/retry/more', 1],
      ['/requires/more', 1],
      ['/requires/kv/more', 1],
      ['/requires/queue/more', 1],
      ['/leases/0/more', 1],
    ]),
  ]);
  // Told at the union: no branch of it fits.
  refuses(parse, PLAN, [
    ['/steps/0/inputs/other', { step: 'two', output: 'o', more: 1 }],
    ['/steps/0/inputs/other', { step: 'two' }],
    ['/steps/0/inputs/other', { output: 'o' }],
    ['/steps/0/inputs/other', {}],
  ]);
});

test('names and texts keep their form and length', () => {
  const ids = ['a', '0', 'a-b_c', chars(63)];
  const noIds = ['', chars(64), 'A', 'a.b', '-a', '_a', 'ä', 1, null];
  takes(parse, PLAN, [
    ...ids.flatMap((id): Change[] => [
      ['/plan_id', id],
      ['/policy', id],
      ['/steps/0/id', id],
      ['/steps/0/needs', [id]],
    ]),
    ['/title', ''],
    ['/title', chars(200)],
    ['/predicates/0/use', 'u'],
    ['/predicates/0/use', chars(64)],
    ...step([
      ['/processor', `${chars(32)}/${chars(32)}@9999`],
      ['/inputs/data', 'x'],
      ['/inputs/data', chars(1024)],
      [`/inputs/${chars(64)}`, '/artifacts/x'],
      ['/inputs/other', { step: chars(63), output: chars(512) }],
      ['/write_prefix', 'x'],
      ['/write_prefix', chars(1024)],
      ['/predicates/0/use', chars(64)],
      ['/leases/0/selector', 'x'],
      ['/leases/0/selector', chars(1024)],
      ['/leases/0/mode', 'read'],
    ]),
  ]);
  refuses(parse, PLAN, [
    ...noIds.flatMap((id): Change[] => [
      ['/plan_id', id],
      ['/policy', id],
      ['/steps/0/id', id],
      ['/steps/0/needs', [id]],
    ]),
    ['/title', chars(201)],
    ['/predicates/0/use', ''],
    ['/predicates/0/use', chars(65)],
    ...step([
      ['/processor', 'probe'],
      ['/processor', 'test/probe'],
      ['/processor', 'test/probe@0'],
      ['/processor', 'test/probe@1x'],
      ['/processor', 'xtest/PROBE@1'],
      ['/processor', `${chars(33)}/x@1`],
      ['/params', []],
      ['/inputs/data', ''],
      ['/inputs/data', chars(1025)],
      ['/inputs/other', { step: 'A', output: 'o' }],
      ['/inputs/other', { step: 'two', output: '' }],
      ['/inputs/other', { step: 'two', output: chars(513) }],
      ['/write_prefix', ''],
      ['/write_prefix', chars(1025)],
      ['/predicates/0/use', ''],
      ['/predicates/0/use', chars(65)],
      ['/leases/0/selector', ''],
      ['/leases/0/selector', chars(1025)],
      ['/leases/0/mode', 'own'],
    ]),
  ]);
  for (const name of ['', 'A', 'a-b', chars(65)]) refuses(parse, PLAN, [[`/steps/0/inputs/${name}`, '/artifacts/x']]);
});

test('numbers and lists keep their bounds', () => {
  const many = <T>(count: number, one: T): T[] => Array.from({ length: count }, () => one);
  const lease = { selector: '/artifacts/x', mode: 'read' };
  takes(parse, PLAN, [
    ['/timeout_s', 1],
    ['/timeout_s', 2_592_000],
    ['/budget/limit_usd_micro', 0],
    ['/budget/limit_usd_micro', Number.MAX_SAFE_INTEGER],
    ['/predicates', many(100, CALL)],
    ['/steps', many(PLAN_LIMITS.steps, { id: 'one', processor: 'test/probe@1' })],
    ...step([
      ['/retry/max_attempts', 1],
      ['/retry/max_attempts', 20],
      ['/retry/backoff_s', 0],
      ['/retry/backoff_s', 3600],
      ['/retry/backoff_factor', 1],
      ['/retry/backoff_factor', 10],
      ['/predicates', many(100, CALL)],
      ['/leases', many(100, lease)],
      ['/needs', []],
    ]),
  ]);
  refuses(parse, PLAN, [
    ['/timeout_s', 0],
    ['/timeout_s', 1.5],
    ['/timeout_s', 2_592_001],
    ['/budget/limit_usd_micro', -1],
    ['/budget/limit_usd_micro', 0.5],
    ['/budget/limit_usd_micro', Number.MAX_SAFE_INTEGER + 1],
    ['/predicates', many(101, CALL)],
    ['/steps', []],
    ['/steps', many(PLAN_LIMITS.steps + 1, { id: 'one', processor: 'test/probe@1' })],
    ...step([
      ['/retry/max_attempts', 0],
      ['/retry/max_attempts', 1.5],
      ['/retry/max_attempts', 21],
      ['/retry/backoff_s', -0.5],
      ['/retry/backoff_s', 3600.5],
      ['/retry/backoff_factor', 0.5],
      ['/retry/backoff_factor', 10.5],
      ['/predicates', many(101, CALL)],
      ['/leases', many(101, lease)],
    ]),
  ]);
});

test('words of a closed set', () => {
  takes(parse, PLAN, [
    ...['local', 'mock', 'modal', 'worker'].flatMap((name): Change[] => [
      ['/adapter', name],
      ['/steps/0/adapter', name],
    ]),
    ['/steps/0/requires/kv/ttl', 's'],
  ]);
  refuses(parse, PLAN, [
    ['/adapter', 'docker'],
    ...step([
      ['/adapter', ''],
      ['/requires/kv/ttl', 'none'],
      ['/requires/kv/max_value_bytes', 0],
      ['/requires/kv/durable', false],
      ['/requires/queue/visibility', 'per-topic'],
      ['/requires/queue/dedupe_s', 0],
      ['/requires/queue/dedupe_survives_restart', false],
      ['/requires/queue/redeliver_after_ack', true],
      ['/requires/queue/ordering', 'strict'],
      ['/requires/queue/max_body_bytes', 0.5],
      ['/requires/queue/max_delay_s', 0],
      ['/requires/queue/max_visibility_s', 0],
      ['/requires/queue/exact_stats', false],
      ['/requires/queue/refuses_used_receipts', false],
      ['/requires/queue/durable', false],
    ]),
  ]);
});

test.run();
