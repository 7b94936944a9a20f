import * as assert from 'uvu/assert';
import { HandBacks } from '../../services/common/hand-backs.ts';
import { suite } from '../harness/suite.ts';

const test = suite('when a message that was handed back comes again');

const PATIENCE = { leastMs: 500, mostMs: 60_000 };

/** A clock that stands, and no jitter unless a test moves them. */
function given() {
  const clock = { nowMs: 0, jitter: 0 };
  return { clock, handBacks: new HandBacks({ nowMs: () => clock.nowMs, random: () => clock.jitter }) };
}

test('soon at first, then after twice as long each time, and never later than the most', () => {
  const { handBacks } = given();
  const delays = [1, 2, 3, 4, 7, 8, 9, 5_000].map((deliveries) =>
    handBacks.delayMs(`plan-${deliveries}`, deliveries, PATIENCE),
  );
  assert.equal(delays, [500, 1_000, 2_000, 4_000, 32_000, 60_000, 60_000, 60_000]);
});

test('not all at once: what draws another lot comes at another time', () => {
  const { clock, handBacks } = given();
  clock.jitter = 0.5;
  assert.is(handBacks.delayMs('plan', 1, PATIENCE), 750);
});

test('of one plan so many in each window, however many there are', () => {
  const { handBacks } = given();
  const delays = Array.from({ length: 250 }, () => handBacks.delayMs('plan', 2, PATIENCE));
  assert.equal(
    [1_000, 11_000, 21_000].map((ms) => delays.filter((delay) => delay === ms).length),
    [100, 100, 50],
  );
});

test('windows of a plan hold what comes at other times within them', () => {
  const { clock, handBacks } = given();
  const dueAt: number[] = [];
  for (let count = 0; count < 3_000; count += 1) {
    clock.nowMs = count;
    dueAt.push(count + handBacks.delayMs('plan', 2, PATIENCE));
  }
  for (let startMs = 1_000; startMs < 300_000; startMs += 10_000) {
    const within = dueAt.filter((due) => due >= startMs && due < startMs + 10_000).length;
    assert.ok(within <= 100, `${within} from ${startMs} ms on`);
  }
});

test('a plan with many waits for none of its messages that come for the first time, and no other plan waits', () => {
  const { handBacks } = given();
  for (let count = 0; count < 1_000; count += 1) handBacks.delayMs('many', 2, PATIENCE);
  assert.is(handBacks.delayMs('many', 1, PATIENCE), 500);
  assert.is(handBacks.delayMs('other', 2, PATIENCE), 1_000);
});

test('once the windows are over, a plan is as quick as any', () => {
  const { clock, handBacks } = given();
  for (let count = 0; count < 250; count += 1) handBacks.delayMs('plan', 2, PATIENCE);
  clock.nowMs = 31_000;
  assert.is(handBacks.delayMs('plan', 2, PATIENCE), 1_000);
});

test.run();
