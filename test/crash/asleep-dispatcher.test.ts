import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import * as assert from 'uvu/assert';
import { delay } from '../../shared/async/delay.ts';
import { fsck } from '../../shared/fsck/fsck.ts';
import { probePlan } from '../harness/probe-plan.ts';
import { ServiceProcess } from '../harness/service-process.ts';
import { startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';

/** What a dispatcher has taken is delivered to another after 10 s. */
const test = suite('a dispatcher that sleeps through its lease', undefined, { timeoutMs: 240_000 });

const PLANS = ['sleep-0', 'sleep-1', 'sleep-2', 'sleep-3'];

let its: TestStack;
let otherHome: string;
const services: ServiceProcess[] = [];
const start = (...[name, env]: ConstructorParameters<typeof ServiceProcess>): ServiceProcess => {
  const service = new ServiceProcess(name, env);
  services.push(service);
  return service;
};

test.before(async () => {
  its = await startTestStack({ services: [] });
  otherHome = await mkdtemp(path.join(os.tmpdir(), 'isomorph-other-'));
});
test.after(async () => {
  await Promise.all(services.map((service) => service.stop()));
  await its.stop();
  await rm(otherHome, { recursive: true, force: true });
});

const ended = (line: string): boolean => line.includes('"execution ended"');

test('what another settled meanwhile stays as the ledger names it, though every run makes other bytes', async () => {
  for (const name of ['admission', 'settler'] as const) start(name, its.stack.serviceEnv);
  const sleeper = start('dispatcher', its.stack.serviceEnv);
  const retry = { max_attempts: 3, backoff_s: 0.1, backoff_factor: 1 };
  const begun = its.client.subscribe('ledger.*.execution.started', { max: PLANS.length });
  await its.client.flush();
  for (const id of PLANS) await its.submit(probePlan(id, { params: { mode: 'random', work_ms: 1_500 }, retry }));
  for await (const _ of begun);
  sleeper.pause();
  // On another machine: it knows nothing of the runs, so each step runs again while the first run goes on.
  start('dispatcher', { ...its.stack.serviceEnv, ISOMORPH_HOME: otherHome });
  const states = await Promise.all(PLANS.map((id) => its.ended(id)));
  const cids = states.map(({ planId, artifacts }) => artifacts.get(`/artifacts/outputs/${planId}/probe/out.json`)?.cid);
  assert.is(new Set(cids).size, PLANS.length, 'the runs do differ');
  for (const { planId, settled, executions } of states) {
    assert.is(settled?.status, 'succeeded', planId);
    assert.equal(
      [...executions.values()].map(({ end }) => end?.status),
      ['lost', 'succeeded'],
    );
  }
  sleeper.resume();
  let woken = 0;
  while (woken < PLANS.length) {
    const lines = await sleeper.logged((line) => ended(line) && line.includes('known already'));
    woken = lines.length;
    await delay(50);
  }
  const after = await Promise.all(PLANS.map(async (id) => (await its.read(id)).state));
  assert.equal(
    after.map(({ head }) => head),
    states.map(({ head }) => head),
    'it wrote nothing',
  );
  assert.equal((await fsck({ connection: its.core, store: its.store })).findings, []);
  await its.submit(probePlan('awake'));
  assert.is((await its.ended('awake')).settled?.status, 'succeeded');
});

test.run();
