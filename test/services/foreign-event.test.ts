import * as assert from 'uvu/assert';
import { canonicalText } from '../../shared/hash/canonical.ts';
import { Journal } from '../../shared/journal/journal.ts';
import { EMPTY_HEAD, seal } from '../../shared/ledger/chain.ts';
import { publish } from '../../shared/nats/publish.ts';
import { probePlan } from '../harness/probe-plan.ts';
import { heard, startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';
import { cancelRequested } from '../ledger/plan-history.ts';

const test = suite('services beside what is none of a chain', undefined, { timeoutMs: 240_000 });

let its: TestStack;
test.before(async () => {
  its = await startTestStack();
});
test.after(() => its.stop());

test('a cancellation that is none of the chain ends nothing: the run goes on to its end', async () => {
  const planId = 'not-cancelled';
  const running = probePlan(planId, { params: { work_ms: 3_000 } });
  await heard(its.client, `ledger.${planId}.execution.started`, () => its.submit(running));
  const [foreign] = seal(EMPTY_HEAD, [cancelRequested('client')], { planId, by: 'admission', nowMs: Date.now() });
  await publish(its.core, `ledger.${planId}.plan.cancel_requested`, canonicalText(foreign));
  assert.is((await its.ended(planId)).settled?.status, 'succeeded');
});

test('one that is in the chain ends the run', async () => {
  const planId = 'cancelled';
  const running = probePlan(planId, { params: { work_ms: 600_000 } });
  await heard(its.client, `ledger.${planId}.execution.started`, () => its.submit(running));
  const journal = new Journal({ connection: its.core, by: 'admission' });
  await journal.append(planId, () => ({ drafts: [cancelRequested('client')] }));
  assert.is((await its.ended(planId)).settled?.status, 'cancelled');
});

test.run();
