import * as assert from 'uvu/assert';
import { MOST_WAITING } from '../../services/dispatcher/queue-places.ts';
import { planOfSubject } from '../../shared/wire/ledger.ts';
import { probePlan } from '../harness/probe-plan.ts';
import { heard, startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';

const test = suite('slots of a dispatcher', undefined, { timeoutMs: 180_000 });

let its: TestStack;
/** Plans in the order in which their executions started. */
const starts: string[] = [];
test.before(async () => {
  its = await startTestStack({
    services: ['admission', 'dispatcher', 'settler'],
    env: { ISOMORPH_SLOTS: '2' },
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

test.run();
