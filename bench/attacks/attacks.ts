/** What a client, a processor or somebody with a service's credentials does as hard as one of them can. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connectNats } from '../../shared/nats/connect.ts';
import { commandSubject } from '../../shared/wire/commands.ts';
import type { TestStack } from '../../test/harness/stack.ts';
import { inParallel } from '../harness.ts';
import { FLOODER, type FloodKind } from './flooder.ts';

/** Plans of an attacker under way at once: as many as the dispatcher has slots. */
export const ATTACKERS = 4;
const ABUSE_MS = 3_000;
const FAN = 500;

export interface Attack {
  readonly name: string;
  /** Whether its executions hold slots of the dispatcher. */
  readonly holdsSlots: boolean;
  /** Goes on until `signal` aborts. */
  run(stack: TestStack, signal: AbortSignal): Promise<void>;
}

type Fields = Readonly<Record<string, unknown>>;

/** One step that does nothing, or abuses what it has. */
export const abuserPlan = (planId: string, params: Fields, plan: Fields = {}) => ({
  plan_id: planId,
  timeout_s: 60,
  budget: { limit_usd_micro: 100_000 },
  steps: [{ id: 'a', processor: 'bench/abuser@1', params }],
  ...plan,
});

let count = 0;
const nextId = (): string => {
  count += 1;
  return `attack-${count}`;
};

/** Resolves with whatever comes first; what it leaves behind ends with the stack. */
const untilAborted = (work: Promise<unknown>, signal: AbortSignal): Promise<unknown> =>
  Promise.race([work, sleep(2 ** 31 - 1, undefined, { signal, ref: false }).catch(() => undefined)]);

type PlanOf = (planId: string, stack: TestStack) => unknown;
type Submit = (plan: unknown) => Promise<unknown>;

/** As many plans at once, each followed by the next one. */
function plansAtOnce(count: number, planOf: PlanOf, stack: TestStack, submit: Submit, signal: AbortSignal) {
  return inParallel(count, count, async () => {
    while (!signal.aborted) {
      const planId = nextId();
      await submit(planOf(planId, stack));
      await untilAborted(stack.ended(planId), signal);
    }
  });
}

/** Of the principal whose the harmless plans are too. */
const byPlans =
  (atOnce: number, planOf: PlanOf) =>
  (stack: TestStack, signal: AbortSignal): Promise<void> =>
    plansAtOnce(atOnce, planOf, stack, (plan) => stack.submit(plan), signal);

const abuse = (name: string, params: (stack: TestStack) => Fields = () => ({})): Attack => ({
  name: `processors: ${name}`,
  holdsSlots: true,
  run: byPlans(ATTACKERS, (planId, stack) => abuserPlan(planId, { abuse: name, for_ms: ABUSE_MS, ...params(stack) })),
});

/** A predicate on the output of a step. */
const judged = (name: string, call: Fields): Attack => ({
  name: `predicates: ${name}`,
  holdsSlots: false,
  run: byPlans(ATTACKERS, (planId) =>
    abuserPlan(
      planId,
      { abuse: 'nothing' },
      { predicates: [{ path: `/artifacts/outputs/${planId}/a/out.json`, ...call }] },
    ),
  ),
});

const FLOODER_PROGRAM = fileURLToPath(new URL('flooder.ts', import.meta.url));

/** Commands of a principal of their own, since whoever floods stands in its own way; the others with a service's credentials. */
const messages = (kind: FloodKind): Attack => ({
  name: `messages: ${kind}`,
  holdsSlots: false,
  async run({ stack }, signal) {
    const { principals, serviceUrl } = stack.info.nats;
    const env = { ...process.env, FLOODED_URL: kind === 'commands' ? principals?.[FLOODER] : serviceUrl };
    const flooder = spawn(process.execPath, ['--import', 'tsx', FLOODER_PROGRAM, kind], {
      env,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const end = (): void => void flooder.kill('SIGKILL');
    signal.addEventListener('abort', end, { once: true });
    await once(flooder, 'exit');
  },
});

const GROWS = Array.from({ length: 26 }, () => '[@,@]').join('|');
const QUERY = 'artifact.jmespath_ok@1';
const SCHEMA = 'json.schema_ok@1';
const LONG = `/artifacts/inputs/long-a.json`;

const regexes: Attack = {
  name: 'predicates: a pattern that backtracks',
  holdsSlots: false,
  async run(stack, signal) {
    const bytes = Buffer.from(JSON.stringify({ t: `${'a'.repeat(40)}!` }));
    await stack.store.putBytes({ worldPath: LONG, data: bytes, contentType: 'application/json' });
    const schema = { type: 'object', properties: { t: { type: 'string', pattern: '^(a+)+$' } } };
    await judged('', { use: SCHEMA, path: LONG, schema }).run(stack, signal);
  },
};

const fan: Attack = {
  name: `one plan of ${FAN} independent steps`,
  holdsSlots: true,
  run: byPlans(1, (planId) =>
    abuserPlan(
      planId,
      {},
      {
        timeout_s: 3_600,
        budget: { limit_usd_micro: 10_000_000 },
        steps: Array.from({ length: FAN }, (_, n) => ({
          id: `s${n}`,
          processor: 'bench/abuser@1',
          params: { abuse: 'nothing' },
        })),
      },
    ),
  ),
};

const MANY = 200;

const manyPlans: Attack = {
  name: `${MANY} plans at once of another principal`,
  holdsSlots: true,
  async run(stack, signal) {
    const connection = await connectNats({ url: stack.stack.info.nats.principals?.[FLOODER] ?? '', name: FLOODER });
    const submit = (plan: unknown) =>
      connection.request(commandSubject('submit', FLOODER), JSON.stringify(plan), { timeout: 10_000 });
    try {
      const planOf = (planId: string) => abuserPlan(planId, { abuse: 'nothing' }, { timeout_s: 3_600 });
      await plansAtOnce(MANY, planOf, stack, submit, signal);
    } finally {
      await connection.close();
    }
  },
};

export const ATTACKS: readonly Attack[] = [
  regexes,
  judged('a query that doubles 26 times', { use: QUERY, expression: GROWS }),
  judged('a query that pads to 100 MB', { use: QUERY, expression: "length(pad_left('x',`100000000`,' '))" }),
  judged('a schema that refers to itself', { use: SCHEMA, schema: { $ref: '#' } }),
  messages('commands'),
  messages('facts'),
  messages('work'),
  messages('ledger'),
  abuse('cpu'),
  abuse('log'),
  abuse('progress'),
  abuse('tokens'),
  abuse('kv'),
  abuse('queue'),
  abuse('uploads'),
  abuse('connections', ({ stack }) => ({ gateway_url: stack.info.artifacts.gatewayUrl })),
  abuse('time'),
  fan,
  manyPlans,
];
