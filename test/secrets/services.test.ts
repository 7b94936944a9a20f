import * as assert from 'uvu/assert';
import { probePlan } from '../harness/probe-plan.ts';
import { startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';
import { type Answer, type Call, type FakeAws, given, refusal, startFakeAws } from './fake-aws.ts';

const test = suite('secrets through the services');

const TOKEN = 'correct-horse-battery-staple';
const SERVICES = ['admission', 'dispatcher', 'settler'] as const;

const keeper = (planId: string) => probePlan(planId, { processor: 'test/keeper@1', params: { mode: 'leak' } });

async function ended(its: TestStack, planId: string) {
  await its.submit(keeper(planId));
  return its.ended(planId);
}

/** What the Secrets Manager of the stack answers in the present test. */
let answerTo: (call: Call) => Answer = () => 'cut';
let aws: FakeAws;
let its: TestStack;
test.before(async () => {
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' });
  aws = await startFakeAws((call) => answerTo(call));
  const url = `aws-secretsmanager://eu-central-1?${new URLSearchParams({ endpoint: aws.url })}`;
  its = await startTestStack({ services: SERVICES, env: { SECRETS_URL: url } });
});
test.after(async () => {
  await its.stop();
  await aws.stop();
});

type Ended = Awaited<ReturnType<typeof ended>>;

/** Code and message of the one execution. */
function failureOf({ executions }: Ended): readonly [code: string, message: string] {
  const end = [...executions.values()].at(-1)?.end;
  return end?.status === 'failed' ? [end.code, end.message] : ['', `${end?.status}`];
}

const described: Answer = { status: 200, body: JSON.stringify({ Name: 'X' }) };

test('a secret that is surely missing refuses admission by name, without its value being asked for', async () => {
  answerTo = () => refusal('ResourceNotFoundException');
  const state = await ended(its, 'missing');
  assert.is(state.phase, 'rejected');
  const [fault] = state.rejected?.faults ?? [];
  assert.equal([fault?.code, fault?.pointer], ['ERR_MISSING_SECRET', '/steps/0/processor']);
  assert.match(fault?.message ?? '', /PROBE_TOKEN/);
  assert.equal([...new Set(aws.calls.map(({ operation }) => operation))], ['DescribeSecret']);
});

test('a secret that nobody could tell of fails its execution by name', async () => {
  answerTo = ({ operation }: Call): Answer =>
    refusal(operation === 'DescribeSecret' ? 'AccessDeniedException' : 'ResourceNotFoundException');
  const state = await ended(its, 'untold');
  assert.is(state.settled?.status, 'failed');
  const [code, message] = failureOf(state);
  assert.is(code, 'ERR_MISSING_SECRET');
  assert.match(message, /PROBE_TOKEN/);
  assert.is(state.budget.held, 0);
});

test('a secret that may not be read fails its execution; the value in the refusal does not come through', async () => {
  answerTo = ({ operation }: Call): Answer =>
    operation === 'DescribeSecret' ? described : refusal('AccessDeniedException', 400, TOKEN);
  const [code, message] = failureOf(await ended(its, 'denied'));
  assert.is(code, 'ERR_CONFIG');
  assert.match(message, /PROBE_TOKEN .*AccessDeniedException/);
  assert.not.match(message, TOKEN);
});

test('an execution waits out an outage of the secrets, and gets the value that is there then', async () => {
  let outages = 0;
  answerTo = ({ operation }: Call): Answer => {
    if (operation === 'DescribeSecret') return described;
    // More than the SDK tries by itself.
    if (outages < 4) {
      outages += 1;
      return refusal('InternalServiceError', 500);
    }
    return given(TOKEN);
  };
  const state = await ended(its, 'outage');
  assert.is(state.settled?.status, 'succeeded');
  assert.is(state.executions.size, 1);
});

test.run();
