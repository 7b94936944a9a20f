import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import type { ServiceName } from '../../services/common/services.ts';
import { readStream } from '../../shared/nats/read.ts';
import { decodeCommit, LEDGER_STREAM, WHOLE_LEDGER } from '../../shared/wire/ledger.ts';
import { probePlan } from '../harness/probe-plan.ts';
import { ServiceProcess } from '../harness/service-process.ts';
import { scaledMs } from '../harness/slowness.ts';
import { startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';

const test = suite('machines whose clocks are hours off', undefined, { timeoutMs: 240_000 });

const SHIFT = fileURLToPath(new URL('../harness/shifted-clock.mjs', import.meta.url));
const HOUR_MS = 3_600_000;

/** Each service on a machine of its own, none of which has the time of nats-server. */
const MACHINES: Readonly<Partial<Record<ServiceName, number>>> = {
  admission: 2 * HOUR_MS,
  dispatcher: -2 * HOUR_MS,
  settler: 3 * HOUR_MS,
  sampler: -3 * HOUR_MS,
  gateway: 2 * HOUR_MS,
};

let its: TestStack;
const services = new Map<ServiceName, ServiceProcess>();

test.before(async () => {
  its = await startTestStack({ services: [], env: { KV_URL: 'nats:', QUEUE_URL: 'nats:' } });
  const start = async (name: ServiceName, more: Readonly<Record<string, string>> = {}): Promise<ServiceProcess> => {
    const clock = { ISOMORPH_TEST_CLOCK_SHIFT_MS: String(MACHINES[name]), NODE_OPTIONS: `--import ${SHIFT}` };
    const service = new ServiceProcess(name, { ...its.stack.serviceEnv, ...clock, ...more });
    services.set(name, service);
    await service.logged((line) => line.includes('"started"'));
    return service;
  };
  const gateway = await start('gateway', { GATEWAY_LISTEN: '127.0.0.1:0' });
  const [line = '{}'] = await gateway.logged((one) => one.includes('"url"'));
  const url = String(JSON.parse(line).url);
  const reach = { ARTIFACTS_GATEWAY_URL: url, SCRATCH_GATEWAY_URL: url };
  for (const name of Object.keys(MACHINES) as ServiceName[]) if (name !== 'gateway') await start(name, reach);
});
test.after(async () => {
  await Promise.all([...services.values()].map((service) => service.stop()));
  await its?.stop();
});

const chain = async (planId: string): Promise<{ readonly ts: string; readonly storedAt: string }[]> => {
  const found: { ts: string; storedAt: string }[] = [];
  for await (const { data, subject, storedAt } of readStream(its.core, {
    stream: LEDGER_STREAM,
    filter: WHOLE_LEDGER,
    fromSeq: 1,
  })) {
    for (const { raw } of decodeCommit(data, subject)) if (raw.plan_id === planId) found.push({ ts: raw.ts, storedAt });
  }
  return found;
};

test('a plan with scratch, a retry and URLs of the gateway succeeds, and every event has the time of the server', async () => {
  const steps = [
    {
      id: 'probe',
      processor: 'test/probe@1',
      params: { fail_attempts: 1 },
      retry: { max_attempts: 2, backoff_s: 0.2 },
    },
    { id: 'keeps', processor: 'test/purged@1', params: {}, needs: ['probe'] },
    { id: 'reads', processor: 'test/probe@1', inputs: { first: { step: 'probe', output: 'out.json' } } },
  ];
  await its.submit(probePlan('off', {}, { steps }));
  const state = await its.ended('off');
  assert.is(state.settled?.status, 'succeeded', JSON.stringify(state.settled));
  const events = await chain('off');
  assert.ok(events.length > 10);
  for (const { ts, storedAt } of events) {
    const offMs = Math.abs(Date.parse(ts) - Date.parse(storedAt));
    assert.ok(offMs < scaledMs(5_000), `${ts} was stored at ${storedAt}`);
  }
});

test('deadlines of plans and of executions come when they should', async () => {
  await its.submit(probePlan('late', { params: { work_ms: 600_000 } }, { timeout_s: 3 }));
  const state = await its.ended('late');
  assert.is(state.settled?.faults[0]?.code, 'ERR_TIMEOUT');
  const lateByMs = Date.parse(state.settledAt ?? '') - Date.parse(state.admitted?.deadline ?? '');
  assert.ok(lateByMs >= 0 && lateByMs < scaledMs(10_000), `${lateByMs} ms`);
});

test('a run ends at the deadline of its step, and not before', async () => {
  await its.submit(probePlan('slow', { processor: 'test/hasty@1', params: { work_ms: 600_000 } }));
  const state = await its.ended('slow');
  const [execution] = state.executions.values();
  assert.is(execution?.end?.status === 'failed' && execution.end.code, 'ERR_TIMEOUT', JSON.stringify(state.settled));
  const ranMs = Date.parse(execution?.endedAt ?? '') - Date.parse(execution?.started?.deadline ?? '');
  assert.ok(ranMs > -1_000 && ranMs < scaledMs(10_000), `${ranMs} ms`);
});

test('each says so', async () => {
  for (const [name, shiftMs] of Object.entries(MACHINES)) {
    const [line = '{}'] = (await services.get(name as ServiceName)?.logged((one) => one.includes('is off'))) ?? [];
    assert.ok(Math.abs(JSON.parse(line).ahead_s - shiftMs / 1_000) < 60, `${name}: ${line}`);
  }
});

test.run();
