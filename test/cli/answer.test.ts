import * as assert from 'uvu/assert';
import { type Said, SubmissionAnswer } from '../../cli/answer.ts';
import { cidOf } from '../../shared/hash/cid.ts';
import { suite } from '../harness/suite.ts';
import { admitted, Chain, rejected, settled, submitted } from '../ledger/plan-history.ts';

const test = suite('what a submission is answered');

const OURS = { planCid: cidOf('plan plan'), commandSeq: 9 };

const turnedDown = (chain: Chain, commandSeq: number): Chain =>
  chain.append('admission', [submitted('plan', commandSeq), rejected('no')]);
const taken = (chain: Chain, commandSeq: number): Chain =>
  chain
    .append('admission', [submitted('plan', commandSeq), admitted('plan', 5)])
    .append('settler', [settled('failed', 0)]);

/** What each commit of a chain says. */
function heard({ commits }: Chain, submission = OURS): Said[] {
  const answer = new SubmissionAnswer(submission);
  return commits.map((events) => answer.hear({ kind: 'commit', events, unknown: [] }));
}

test('the rejection of a command before ours is none of ours; ours is', () => {
  assert.equal(heard(turnedDown(turnedDown(new Chain('plan'), 3), 9)), [
    { isOurs: false },
    { isOurs: true, end: { status: 'rejected' } },
  ]);
});

test('a plan that takes an id which was given back is followed to its end', () => {
  assert.equal(heard(taken(turnedDown(new Chain('plan'), 3), 9)), [
    { isOurs: false },
    { isOurs: true },
    { isOurs: true, end: { status: 'failed' } },
  ]);
});

test('the same body that was admitted before is followed to its end, whoever sent it', () => {
  assert.equal(heard(taken(new Chain('plan'), 3)).at(-1), { isOurs: true, end: { status: 'failed' } });
});

test('another body that has the id refuses ours, whatever becomes of it', () => {
  const [, said] = heard(taken(turnedDown(new Chain('plan'), 3), 4), { ...OURS, planCid: cidOf('another body') });
  assert.is(said?.isOurs, false);
  assert.is(said?.end?.status === 'refused' && said.end.fault.code, 'ERR_PLAN_CONFLICT');
});

test('a dead letter is the answer', () => {
  const fault = { code: 'ERR_TOO_LARGE', message: 'too much' };
  const answer = new SubmissionAnswer(OURS);
  assert.equal(answer.hear({ kind: 'refused', fault }).end, { status: 'refused', fault });
  assert.equal(answer.hear({ kind: 'refused', fault, commandSeq: 9 }).end, { status: 'refused', fault });
});

test('the dead letter of another command of the same plan is none of ours', () => {
  const fault = { code: 'ERR_PLAN_CONFLICT', message: 'it is taken' };
  assert.equal(new SubmissionAnswer(OURS).hear({ kind: 'refused', fault, commandSeq: 10 }), { isOurs: false });
});

test.run();
