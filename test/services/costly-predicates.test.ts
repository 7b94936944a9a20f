import * as assert from 'uvu/assert';
import { probePlan } from '../harness/probe-plan.ts';
import { startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';

const test = suite('predicates that cost too much, in a running stack');

let stack: TestStack;
test.before(async () => {
  stack = await startTestStack();
  const data = Buffer.from(JSON.stringify({ t: `${'a'.repeat(40)}!` }));
  await stack.store.putBytes({ worldPath: '/artifacts/inputs/long-a.json', data, contentType: 'application/json' });
});
test.after(() => stack.stop());

const onProbe = { path: '/artifacts/inputs/long-a.json' };
const STALLS = {
  use: 'json.schema_ok@1',
  ...onProbe,
  schema: { type: 'object', properties: { t: { type: 'string', pattern: '^(a+)+$' } } },
};
const GROWS = {
  use: 'artifact.jmespath_ok@1',
  ...onProbe,
  expression: Array.from({ length: 26 }, () => '[@,@]').join('|'),
};

test('such a plan ends with what was too costly, while plans beside it settle', async () => {
  await stack.submit(probePlan('costly', {}, { predicates: [STALLS, GROWS] }));
  await stack.submit(probePlan('beside'));
  const [costly, beside] = await Promise.all([stack.ended('costly'), stack.ended('beside')]);
  assert.is(costly.settled?.status, 'failed');
  assert.equal(
    costly.settled?.faults.map(({ code, pointer }) => [code, pointer]),
    [
      ['ERR_PREDICATE', '/predicates/0'],
      ['ERR_PREDICATE', '/predicates/1'],
    ],
  );
  for (const { message } of costly.settled?.faults ?? []) assert.match(message, /too costly to judge/);
  assert.is(beside.settled?.status, 'succeeded');
});

test('what cannot be used at all is refused before anything runs, each with its place', async () => {
  const predicates = [
    { use: 'artifact.jmespath_ok@1', path: 'out.json', expression: 'foo[' },
    { use: 'json.schema_ok@1', path: 'out.json', schema: { type: 'strnig' } },
  ];
  await stack.submit(probePlan('unusable', { predicates }));
  const { phase, rejected } = await stack.ended('unusable');
  assert.is(phase, 'rejected');
  assert.equal(
    rejected?.faults.map(({ code, pointer }) => [code, pointer]),
    [
      ['ERR_PREDICATE', '/steps/0/predicates/0/expression'],
      ['ERR_PREDICATE', '/steps/0/predicates/1/schema'],
    ],
  );
});

test('names that every object has are not there, in predicates and among inputs', async () => {
  const named = { use: 'json.schema_ok@1', ...onProbe, schema: { type: 'object', required: ['constructor'] } };
  await stack.submit(probePlan('named', {}, { predicates: [named] }));
  assert.is((await stack.ended('named')).settled?.status, 'failed');
  await stack.submit(probePlan('input', { inputs: { constructor: '/artifacts/inputs/long-a.json' } }));
  const { rejected } = await stack.ended('input');
  assert.equal(
    rejected?.faults.map(({ code, pointer }) => [code, pointer]),
    [['ERR_INPUT_UNDECLARED', '/steps/0/inputs/constructor']],
  );
});

test.run();
