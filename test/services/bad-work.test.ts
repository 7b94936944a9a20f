import * as assert from 'uvu/assert';
import { Alarms } from '../../services/common/alarms.ts';
import { publish } from '../../shared/nats/publish.ts';
import type { DeadLetter } from '../../shared/wire/dead.ts';
import { probePlan } from '../harness/probe-plan.ts';
import { heard, startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';

const test = suite('bad messages of work', undefined, { timeoutMs: 240_000 });

const PAST = '2026-01-01T00:00:00.000Z';
const FAR = '9999-01-01T00:00:00.000Z';

let its: TestStack;
test.before(async () => {
  its = await startTestStack();
});
test.after(() => its.stop());

async function refusal(subject: string, body: object): Promise<DeadLetter['fault']> {
  const said = await heard(its.core, 'dead.work.>', () => publish(its.core, subject, JSON.stringify(body)));
  return (JSON.parse(said) as DeadLetter).fault;
}

const places = async (subject: string, body: object) => {
  const { code, pointer } = await refusal(subject, body);
  return `${code} ${pointer}`;
};

test('an id that is none is refused with its place, and asked nobody', async () => {
  for (const plan_id of ['', '>', 'a.b', 'two words', '../x']) {
    const work = { plan_id, execution_id: 'x.a.1', not_before: PAST, ledger_seq: 1 };
    assert.is(await places('work.mock', work), 'ERR_SCHEMA /plan_id');
  }
});

test('work of a plan that nobody knows is refused at once, however far away its time is', async () => {
  const plan_id = 'nobody';
  const work = { plan_id, execution_id: 'nobody.a.1', not_before: FAR, ledger_seq: 1 };
  assert.is(await places('work.mock', work), 'ERR_NOT_FOUND /execution_id');
});

test('the scratch of a plan that goes on is purged by nobody', async () => {
  const planId = 'in-use';
  const running = probePlan(planId, { params: { work_ms: 3_000 } });
  await heard(its.client, `ledger.${planId}.execution.started`, () => its.submit(running));
  await new Alarms(its.core).ring(planId);
  assert.is((await its.ended(planId)).settled?.status, 'succeeded');
});

test.run();
