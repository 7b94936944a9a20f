import * as assert from 'uvu/assert';
import { MOST_WAITING } from '../../services/dispatcher/queue-places.ts';
import { MOST_OF_PRINCIPAL } from '../../services/dispatcher/waiting-by-principal.ts';
import { commandSubject } from '../../shared/wire/commands.ts';
import { planOfSubject } from '../../shared/wire/ledger.ts';
import { probePlan } from '../harness/probe-plan.ts';
import { scaledMs } from '../harness/slowness.ts';
import { heard, startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';

const test = suite('slots of a dispatcher', undefined, { timeoutMs: 180_000 });

let its: TestStack;
/** Plans in the order in which their executions started. */
const starts: string[] = [];
test.before(async () => {
  its = await startTestStack({
    services: ['admission', 'dispatcher', 'settler'],
    env: { ISOMORPH_PRINCIPALS: 'alice, bob', ISOMORPH_SLOTS: '2' },
  });
  its.core.subscribe('ledger.*.execution.started', {
    callback: (_, { subject }) => {
      starts.push(planOfSubject(subject) ?? '');
    },
  });
});
test.after(() => its.stop());

/** Resolves once what the event tells of a plan is in the ledger. */
const upTo = (kind: string, plan: ReturnType<typeof probePlan>) =>
  heard(its.core, `ledger.${plan.plan_id}.${kind}`, () => its.submit(plan));

test('of a wide plan no more is before the first step of another than waits for slots at once', async () => {
  const steps = Array.from({ length: 80 }, (_, number) => ({ id: `s${number}`, processor: 'test/probe@1' }));
  await upTo('execution.started', probePlan('wide', {}, { steps }));
  await upTo('execution.scheduled', probePlan('narrow'));
  const before = starts.length;
  assert.is((await its.ended('narrow')).settled?.status, 'succeeded');
  const wide = starts.slice(before, starts.lastIndexOf('narrow')).length;
  // Those that waited, and those that came until its message did.
  assert.ok(wide <= 2 * MOST_WAITING, `${wide} of the wide one were before it`);
  assert.is((await its.ended('wide')).settled?.status, 'succeeded');
});

test('before the first step of a principal is no more of another than may wait of him at once', async () => {
  const hers = Array.from({ length: 60 }, (_, number) => `hers-${number}`);
  const send = (principal: string, name: 'submit' | 'cancel', body: { readonly plan_id: string }) =>
    its.core.request(commandSubject(name, principal), JSON.stringify(body), { timeout: scaledMs(10_000) });
  const long = ['long-1', 'long-2'];
  for (const planId of long) await upTo('execution.started', probePlan(planId, { params: { mode: 'hang' } }));
  for (const planId of hers.slice(1)) await send('alice', 'submit', probePlan(planId));
  await heard(its.core, `ledger.hers-0.plan.admitted`, () => send('alice', 'submit', probePlan('hers-0')));
  await heard(its.core, 'ledger.his.execution.scheduled', () => send('bob', 'submit', probePlan('his')));
  const before = starts.length;
  for (const plan_id of long) await send('operator', 'cancel', { plan_id });
  assert.is((await its.ended('his')).settled?.status, 'succeeded');
  const first = starts.slice(before, starts.lastIndexOf('his')).length;
  assert.ok(first <= 2 * MOST_OF_PRINCIPAL, `${first} of hers were before it`);
  for (const planId of hers) assert.is((await its.ended(planId)).settled?.status, 'succeeded');
});

test.run();
