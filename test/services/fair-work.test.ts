import * as assert from 'uvu/assert';
import { MOST_WAITING } from '../../services/dispatcher/queue-places.ts';
import { commandSubject } from '../../shared/wire/commands.ts';
import { planOfSubject } from '../../shared/wire/ledger.ts';
import { probePlan } from '../harness/probe-plan.ts';
import { scaledMs } from '../harness/slowness.ts';
import { heard, startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';

const test = suite('slots of a dispatcher', undefined, { timeoutMs: 180_000 });

const SLOTS = 2;

let its: TestStack;
/** Plans in the order in which their executions started. */
const starts: string[] = [];
test.before(async () => {
  its = await startTestStack({
    services: ['admission', 'dispatcher', 'settler'],
    env: { ISOMORPH_PRINCIPALS: 'alice, bob', ISOMORPH_SLOTS: String(SLOTS) },
  });
  its.core.subscribe('ledger.*.execution.started', {
    callback: (_, { subject }) => {
      starts.push(planOfSubject(subject) ?? '');
    },
  });
});
test.after(() => its.stop());

const send = (principal: string, name: 'submit' | 'cancel', body: { readonly plan_id: string }) =>
  its.core.request(commandSubject(name, principal), JSON.stringify(body), { timeout: scaledMs(10_000) });

const hanging = (planId: string) => probePlan(planId, { params: { mode: 'hang' } });

/** Resolves once what the event tells of a plan is in the ledger. */
const upTo = (kind: string, principal: string, plan: ReturnType<typeof probePlan>) =>
  heard(its.core, `ledger.${plan.plan_id}.${kind}`, () => send(principal, 'submit', plan));

test('who has nothing under way gets the next slot, however many executions of another wait before', async () => {
  const hers = Array.from({ length: 40 }, (_, number) => `alice-${number}`);
  for (const planId of hers.slice(0, SLOTS)) await upTo('execution.started', 'alice', hanging(planId));
  for (const planId of hers.slice(SLOTS, -1)) await send('alice', 'submit', hanging(planId));
  await upTo('execution.scheduled', 'alice', hanging(hers.at(-1) ?? ''));
  await upTo('execution.scheduled', 'bob', probePlan('of-bob'));
  const before = starts.length;
  // Where a slot is given back while his is on its way, one of hers is first.
  for (const planId of hers.slice(0, SLOTS)) await send('alice', 'cancel', { plan_id: planId });
  assert.is((await its.ended('of-bob')).settled?.status, 'succeeded');
  assert.ok(starts.slice(before, before + SLOTS + 1).includes('of-bob'), starts.slice(before).join());
  for (const planId of hers.slice(SLOTS)) await send('alice', 'cancel', { plan_id: planId });
  for (const planId of hers) await its.ended(planId);
});

test('of a wide plan no more is before the first step of another than waits for slots at once', async () => {
  const steps = Array.from({ length: 80 }, (_, number) => ({ id: `s${number}`, processor: 'test/probe@1' }));
  await upTo('execution.started', 'alice', probePlan('wide', {}, { steps }));
  await upTo('execution.scheduled', 'alice', probePlan('narrow'));
  const before = starts.length;
  assert.is((await its.ended('narrow')).settled?.status, 'succeeded');
  const wide = starts.slice(before, starts.lastIndexOf('narrow')).length;
  // Those that waited, and those that came until its message did.
  assert.ok(wide <= 2 * MOST_WAITING, `${wide} of the wide one were before it`);
  assert.is((await its.ended('wide')).settled?.status, 'succeeded');
});

test.run();
