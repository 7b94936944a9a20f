import pg from 'pg';
import * as assert from 'uvu/assert';
import { SERVICES } from '../../services/common/services.ts';
import { delay } from '../../shared/async/delay.ts';
import type { FsckFinding } from '../../shared/fsck/finding.ts';
import { fsck } from '../../shared/fsck/fsck.ts';
import type { PlanState } from '../../shared/ledger/state.ts';
import { Verifier } from '../../shared/ledger/verify.ts';
import { readStream } from '../../shared/nats/read.ts';
import { decodeCommit } from '../../shared/wire/ledger.ts';
import { ServiceProcess } from '../harness/service-process.ts';
import { startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';

/** Each kill of a dispatcher costs the 10 s after which its messages are delivered again. */
const test = suite('services killed at work', undefined, { timeoutMs: 420_000 });

const PLANS = 50;
/** The gateway is in the process of the stack. */
const KILLED = SERVICES.filter((name) => name !== 'gateway');
/** Commits between two kills: often enough that each service dies several times in mid-work. */
const COMMITS_BETWEEN_KILLS = 36;

let its: TestStack;
const services: ServiceProcess[] = [];

test.before(async () => {
  its = await startTestStack({ services: [] });
  for (const name of KILLED) services.push(new ServiceProcess(name, its.stack.serviceEnv));
});
test.after(async () => {
  await Promise.all(services.map((service) => service.stop()));
  await its.stop();
});

const plan = (index: number) => ({
  plan_id: `crash-${index}`,
  budget: { limit_usd_micro: 1_000_000 },
  steps: [
    { id: 'first', processor: 'test/probe@1', params: { value: index, work_ms: 20 } },
    {
      id: 'second',
      processor: 'test/probe@1',
      params: { value: index, fail_attempts: 1, work_ms: 20 },
      inputs: { first: { step: 'first', output: 'out.json' } },
      retry: { max_attempts: 20, backoff_s: 0.05, backoff_factor: 1 },
    },
  ],
  predicates: [{ use: 'artifact.exists@1', path: '/artifacts/outputs/{plan_id}/second/out.json' }],
});

/** Kills the services in turn as the ledger grows, until `done`. */
async function killInTurn(done: Promise<unknown>): Promise<number> {
  const commits = its.client.subscribe('ledger.>');
  void done.finally(() => commits.unsubscribe());
  let seen = 0;
  let kills = 0;
  for await (const _ of commits) {
    seen += 1;
    if (seen % COMMITS_BETWEEN_KILLS !== 0) continue;
    await services[kills % services.length]?.killAndRestart();
    kills += 1;
  }
  return kills;
}

async function verifyLedger(): Promise<Verifier> {
  const verifier = new Verifier();
  for await (const { subject, seq, data } of readStream(its.core, {
    stream: 'LEDGER',
    filter: 'ledger.>',
    fromSeq: 1,
  })) {
    for (const { raw } of decodeCommit(data, subject)) verifier.event(raw, `message ${seq}`);
  }
  return verifier;
}

/** What fsck finds once the projector, killed as often as the others, has caught up with the ledger. */
async function projectedAndChecked(): Promise<readonly FsckFinding[]> {
  const pool = new pg.Pool({ connectionString: its.stack.info.postgres.url, max: 2 });
  try {
    const settled = async (): Promise<number> => {
      const { rows } = await pool.query<{ count: string }>(
        "select count(*) from isomorph.plans where phase = 'settled'",
      );
      return Number(rows[0]?.count);
    };
    while ((await settled()) < PLANS) await delay(100);
    return (await fsck({ connection: its.core, pool, store: its.store })).findings;
  } finally {
    await pool.end();
  }
}

function checkPlan(state: PlanState): void {
  assert.is(state.settled?.status, 'succeeded', `${state.planId}: ${JSON.stringify(state.settled)}`);
  assert.is(state.budget.held, 0);
  const executions = [...state.executions.values()];
  const receipts = executions.map(({ settled }) => settled?.receipt_path);
  assert.ok(receipts.every((path) => path !== undefined && state.artifacts.has(path)));
  assert.is(new Set(receipts).size, executions.length, 'one receipt an execution');
}

test('50 plans end succeeded while each service in turn is killed and restarted', async () => {
  const ids = Array.from({ length: PLANS }, (_, index) => `crash-${index}`);
  const ended = Promise.all(ids.map((id) => its.ended(id)));
  const killing = killInTurn(ended);
  await Promise.all(ids.map((_, index) => its.submit(plan(index))));
  const states = await ended.catch((error: unknown) => {
    throw new Error(services.map(({ name, output }) => `${name}: ${output}`).join('\n'), { cause: error });
  });
  const kills = await killing;
  assert.ok(kills >= 2 * KILLED.length, `only ${kills} kills`);
  for (const state of states) checkPlan(state);

  const { findings, plans } = (await verifyLedger()).verdict();
  assert.equal(findings, []);
  assert.is(plans.filter(({ complete }) => complete).length, PLANS);
  assert.equal(await projectedAndChecked(), []);
});

test.run();
