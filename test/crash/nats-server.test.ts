import * as assert from 'uvu/assert';
import { probePlan } from '../harness/probe-plan.ts';
import { startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';

const test = suite('nats-server killed at work');

const PLANS = 10;

let its: TestStack;

test.before(async () => {
  its = await startTestStack();
});
test.after(() => its.stop());

test('plans under way end as if nothing had happened', async () => {
  const ids = Array.from({ length: PLANS }, (_, index) => `outage-${index}`);
  const commits = its.client.subscribe('ledger.>', { max: 40 });
  await Promise.all(ids.map((id) => its.submit(probePlan(id, { params: { work_ms: 200 } }))));
  for await (const _ of commits);
  // The stack starts it again, on the same port and folder.
  process.kill(its.stack.info.nats.pid, 'SIGKILL');
  const states = await Promise.all(ids.map((id) => its.ended(id)));
  for (const { planId, settled, budget } of states) {
    assert.is(settled?.status, 'succeeded', planId);
    assert.is(budget.held, 0);
  }
});

test.run();
