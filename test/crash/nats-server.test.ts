import path from 'node:path';
import * as assert from 'uvu/assert';
import { acquireNatsServer } from '../../stack/nats/acquire.ts';
import { type NatsServerHandle, startNatsServer } from '../../stack/nats/server.ts';
import { endPid } from '../../stack/process.ts';
import { probePlan } from '../harness/probe-plan.ts';
import { startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';

const test = suite('nats-server killed at work');

const PLANS = 10;

let its: TestStack;
let restarted: NatsServerHandle | undefined;

test.before(async () => {
  its = await startTestStack();
});
test.after(async () => {
  await its.stop();
  await restarted?.stop();
});

/** SIGKILL, then the same server on the same port and folder. */
async function killAndRestart(): Promise<void> {
  process.kill(its.stack.info.nats.pid, 'SIGKILL');
  await endPid(its.stack.info.nats.pid, { graceMs: 5_000 });
  const { path: binary } = await acquireNatsServer({ env: process.env });
  const port = Number(new URL(its.stack.info.nats.url).port);
  restarted = await startNatsServer({ binary, dir: path.join(its.home, 'nats'), port });
}

test('plans under way end as if nothing had happened', async () => {
  const ids = Array.from({ length: PLANS }, (_, index) => `outage-${index}`);
  const commits = its.client.subscribe('ledger.>', { max: 40 });
  await Promise.all(ids.map((id) => its.submit(probePlan(id, { params: { work_ms: 200 } }))));
  for await (const _ of commits);
  await killAndRestart();
  const states = await Promise.all(ids.map((id) => its.ended(id)));
  for (const { planId, settled, budget } of states) {
    assert.is(settled?.status, 'succeeded', planId);
    assert.is(budget.held, 0);
  }
});

test.run();
