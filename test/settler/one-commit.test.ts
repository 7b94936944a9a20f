import * as assert from 'uvu/assert';
import { readStream } from '../../shared/nats/read.ts';
import { LEDGER_STREAM, planSubjects } from '../../shared/wire/ledger.ts';
import { probePlan } from '../harness/probe-plan.ts';
import { startTestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';

const test = suite('what a plan of one step costs the ledger', undefined, { timeoutMs: 240_000 });

test('its receipt, its budget, its predicates and its end are one commit', async () => {
  const its = await startTestStack();
  try {
    const predicates = [{ use: 'artifact.exists@1', path: '/artifacts/outputs/{plan_id}/probe/out.json' }];
    await its.submit(probePlan('once', {}, { predicates }));
    const { settled, predicates: checked } = await its.ended('once');
    assert.equal([settled?.status, checked.length], ['succeeded', 1]);
    const commits: string[] = [];
    const place = { stream: LEDGER_STREAM, filter: planSubjects('once'), fromSeq: 1 };
    for await (const { subject } of readStream(its.core, place)) commits.push(subject.replace('ledger.once.', ''));
    const before = ['plan.admitted', 'execution.scheduled', 'execution.started', 'execution.succeeded'];
    assert.equal(commits, [...before, 'plan.settled']);
  } finally {
    await its.stop();
  }
});

test.run();
