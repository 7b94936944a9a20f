/** Random plans, and how each must end. Pure. */
import type { Random } from './random.ts';

/** How a plan that hurts nobody ends, whatever is killed beside it. */
export type Ending =
  | { readonly status: 'succeeded' | 'cancelled' }
  | { readonly status: 'failed'; readonly code: string };

export interface SoakPlan {
  readonly id: string;
  readonly shape: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly ending: Ending;
  /** Sent right behind the plan, or once so many of its executions have started. */
  readonly cancel?: 'at once' | 'running';
  /** Sent twice; or under a message id that somebody else used a second before. */
  readonly sent?: 'twice' | 'under a used id';
  /** Whether another one than its principal cancels it, in vain. */
  readonly meddled?: true;
  /** Its reserves leave no room for a run that is lost, and charged whole. */
  readonly tight?: true;
}

/** Of soak/step@1: fixed, and per second until its deadline. */
const RESERVE = 100 + 10 * 20;
const AMPLE = 1_000_000;
const SUCCEEDED: Ending = { status: 'succeeded' };
const failed = (code: string): Ending => ({ status: 'failed', code });

type Step = Readonly<Record<string, unknown>>;

const step = (id: string, params: object, more: object = {}): Step => ({
  id,
  processor: 'soak/step@1',
  params,
  ...more,
});
const outputOf = (from: string) => ({ step: from, output: 'out.json' });
const RETRY = { max_attempts: 5, backoff_s: 0.1, backoff_factor: 1 };

interface Shaped extends Omit<SoakPlan, 'id' | 'shape' | 'body'> {
  readonly steps: readonly Step[];
  readonly limit?: number;
  readonly rest?: object;
}

type Shape = (random: Random, id: string) => Shaped;

const work = (random: Random): object => ({ value: random.between(0, 999), work_ms: random.between(0, 300) });
const outOf = (id: string, of = 'a'): string => `/artifacts/outputs/${id}/${of}/out.json`;

/** What makes a pattern go back for longer than anybody waits. */
export const STALLING_INPUT = { path: '/artifacts/inputs/long-a.json', text: `{"t":"${'a'.repeat(60)}!"}` };

/** Predicates that stall whoever evaluates them in place, or hold only by names that every object has. */
const AWKWARD = (id: string): readonly object[] => [
  { use: 'json.schema_ok@1', path: outOf(id), schema: { type: 'object', required: ['constructor', 'toString'] } },
  { use: 'artifact.jmespath_ok@1', path: outOf(id), expression: 'constructor' },
  {
    use: 'json.schema_ok@1',
    path: STALLING_INPUT.path,
    schema: { type: 'object', properties: { t: { type: 'string', pattern: '^(a+)+$' } } },
  },
];

const SHAPES: Readonly<Record<string, Shape>> = {
  chain: (random) => ({
    steps: [
      step('a', work(random)),
      step('b', work(random), { inputs: { first: outputOf('a') } }),
      ...(random.next() < 0.5 ? [step('c', work(random), { inputs: { first: outputOf('b') } })] : []),
    ],
    ending: SUCCEEDED,
  }),
  fan: (random) => {
    const leaves = ['p', 'q', 'r'].slice(0, random.between(2, 3));
    const names = ['first', 'second', 'third'];
    const inputs = Object.fromEntries(leaves.map((leaf, index) => [names[index], outputOf(leaf)]));
    return {
      steps: [...leaves.map((leaf) => step(leaf, work(random))), step('join', work(random), { inputs })],
      ending: SUCCEEDED,
    };
  },
  retried: (random) => ({
    steps: [step('a', { ...work(random), fail_attempts: random.between(1, 2) }, { retry: RETRY })],
    ending: SUCCEEDED,
  }),
  failing: (random) => ({
    steps: [step('a', { ...work(random), mode: 'exit1' }), step('b', work(random), { needs: ['a'] })],
    ending: failed('ERR_EXIT'),
  }),
  judged: (random, id) => ({
    steps: [step('a', { value: random.between(1, 9) })],
    rest: {
      predicates: [
        { use: 'artifact.exists@1', path: outOf(id) },
        { use: 'artifact.jmespath_ok@1', path: outOf(id), expression: 'value < `10`' },
        { use: 'json.schema_ok@1', path: outOf(id), schema: { type: 'object', required: ['value', 'inputs'] } },
      ],
    },
    ending: SUCCEEDED,
  }),
  refuted: (random, id) => ({
    steps: [step('a', { value: 7 })],
    rest: { predicates: [random.pick(AWKWARD(id).slice(0, 2))] },
    ending: failed('ERR_PREDICATE'),
  }),
  stalling: (_, id) => ({
    steps: [step('a', { value: 7 })],
    rest: { predicates: [AWKWARD(id)[2]] },
    ending: failed('ERR_PREDICATE'),
  }),
  withdrawn: (random) => ({
    steps: [step('a', { ...work(random), mode: 'hang' })],
    cancel: 'at once',
    ending: { status: 'cancelled' },
  }),
  cancelled: (random) => ({
    steps: [step('a', { mode: 'hang' }), step('b', work(random), { needs: ['a'] })],
    cancel: 'running',
    ending: { status: 'cancelled' },
  }),
  late: () => ({
    steps: [step('a', { mode: 'hang' })],
    rest: { timeout_s: 3 },
    ending: failed('ERR_TIMEOUT'),
  }),
  enough: (random) => ({
    steps: [step('a', work(random)), step('b', work(random), { needs: ['a'] })],
    limit: 2 * RESERVE,
    tight: true,
    ending: SUCCEEDED,
  }),
  short: (random) => ({
    // Enough for one attempt, as admission asks; what it cost at least is missing for the second one.
    steps: [step('a', { ...work(random), fail_attempts: 9 }, { retry: RETRY })],
    limit: RESERVE + 99,
    ending: failed('ERR_BUDGET_EXHAUSTED'),
  }),
  scratch: (random) => ({
    steps: [step('a', { keys: random.between(2, 6), messages: random.between(2, 4) }, { retry: RETRY })],
    ending: SUCCEEDED,
  }),
  secret: () => ({
    steps: [{ id: 'a', processor: 'soak/keeper@1', params: { leak: true }, retry: RETRY }],
    ending: SUCCEEDED,
  }),
  daemon: () => ({ steps: [step('a', { mode: 'daemon' })], ending: SUCCEEDED }),
  loud: (random) => ({ steps: [step('a', { log_lines: random.between(2_000, 6_000) })], ending: SUCCEEDED }),
  twice: (random) => ({ steps: [step('a', work(random))], sent: 'twice', ending: SUCCEEDED }),
  named: (random) => ({ steps: [step('a', work(random))], sent: 'under a used id', ending: SUCCEEDED }),
  meddled: (random) => ({
    steps: [step('a', { work_ms: random.between(800, 1_500) })],
    meddled: true,
    ending: SUCCEEDED,
  }),
};

export const SHAPE_NAMES: readonly string[] = Object.keys(SHAPES);

/** One plan of each shape and a few more, in an order of their own. */
export function plansOf(random: Random, round: number): SoakPlan[] {
  const extra = Array.from({ length: random.between(1, 3) }, () => random.pick(['chain', 'fan', 'retried', 'scratch']));
  return random.shuffled([...SHAPE_NAMES, ...extra]).map((shape, index) => {
    const id = `soak-${round}-${index}-${shape}`;
    const { steps, rest = {}, limit = AMPLE, ...plan } = (SHAPES[shape] as Shape)(random, id);
    const body = { plan_id: id, timeout_s: 600, budget: { limit_usd_micro: limit }, steps, ...rest };
    return { id, shape, body: JSON.parse(JSON.stringify(body)), ...plan };
  });
}
