import * as assert from 'uvu/assert';
import { Refusals } from '../../services/admission/refusals.ts';
import { suite } from '../harness/suite.ts';

const test = suite('who is refused much');

function refusalsAt(perS: number) {
  const clock = { ms: 0 };
  return { clock, refusals: new Refusals({ perS, tell: () => undefined, nowMs: () => clock.ms }) };
}

/** Of so many commands of one principal, which is refused each time, how many were judged at once. */
function judgedAtOnce(refusals: Refusals, principal: string, from: number, commands: number): number {
  let judged = 0;
  for (let seq = from; seq < from + commands; seq += 1) {
    if (refusals.waitMs(principal, seq) > 0) continue;
    judged += 1;
    refusals.refused(principal, seq);
  }
  return judged;
}

test('of whom more is refused than the rate allows, the next commands wait, each for an instant of its own', () => {
  const { refusals } = refusalsAt(10);
  assert.is(judgedAtOnce(refusals, 'mallory', 0, 21), 21, 'two seconds of the rate, and the one that is owed');
  assert.equal([refusals.waitMs('mallory', 100), refusals.waitMs('mallory', 101)], [200, 300]);
  assert.is(refusals.waitMs('alice', 102), 0, 'nobody else waits');
});

test('a command waits once, however long what follows it is refused', () => {
  const { refusals, clock } = refusalsAt(10);
  judgedAtOnce(refusals, 'mallory', 0, 30);
  const waitMs = refusals.waitMs('mallory', 100);
  assert.ok(waitMs > 0);
  clock.ms += waitMs;
  judgedAtOnce(refusals, 'mallory', 200, 30);
  assert.is(refusals.waitMs('mallory', 100), 0);
});

test('over time so many are judged as the rate allows, and none once less is refused', () => {
  const { refusals, clock } = refusalsAt(10);
  judgedAtOnce(refusals, 'mallory', 0, 100);
  clock.ms += 60_000;
  assert.is(judgedAtOnce(refusals, 'mallory', 1_000, 20), 20);
  for (let seq = 2_000; seq < 3_000; seq += 1) assert.is(refusals.waitMs('bob', seq), 0, 'of whom nothing is refused');
});

test.run();
