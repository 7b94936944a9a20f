import * as assert from 'uvu/assert';
import type { LimitNotice } from '../../shared/async/limit-notice.ts';
import { ToldRate } from '../../shared/async/told-rate.ts';
import { suite } from '../harness/suite.ts';

const test = suite('told rate');

function rateOf(perS: number, burst?: number) {
  const clock = { ms: 0 };
  const notices: LimitNotice[] = [];
  const rate = new ToldRate({
    ...{ limit: 'words_per_s', of: 'p.s.1', perS, nowMs: () => clock.ms, tell: (notice) => void notices.push(notice) },
    ...(burst === undefined ? {} : { burst }),
  });
  return { clock, rate, used: () => notices.splice(0).map(({ used }) => used) };
}

test('it is told at 80 % once, and whenever somebody has to wait', () => {
  const { rate, used } = rateOf(10);
  for (let at = 0; at < 7; at++) assert.is(rate.take(1), 0);
  assert.equal(used(), []);
  for (let at = 0; at < 3; at++) assert.is(rate.take(1), 0);
  assert.equal(used(), [8]);
  assert.equal([rate.take(1), rate.take(1)], [100, 200]);
  assert.equal(used(), [10, 10]);
});

test('who works near its rate all the time is told of once, and again after a rest', () => {
  const { rate, used, clock } = rateOf(10);
  rate.take(9);
  for (let at = 1; at <= 100; at++) {
    clock.ms = at * 800;
    rate.take(8);
  }
  assert.equal(used(), [9]);
  clock.ms += 2_000;
  rate.take(8);
  assert.equal(used(), [8]);
});

test('of what may be taken at once after a rest 80 % are the same share, and what is refused is a hit', () => {
  const { rate, used } = rateOf(10, 50);
  for (let at = 0; at < 50; at++) assert.ok(rate.tryTake(1));
  assert.equal(used(), [8]);
  assert.not.ok(rate.tryTake(1));
  assert.equal(used(), [10]);
});

test.run();
