import * as assert from 'uvu/assert';
import { TokenBucket } from '../../shared/async/token-bucket.ts';
import { suite } from '../harness/suite.ts';

const test = suite('token bucket');

function bucket(perS: number, burst?: number) {
  const clock = { ms: 0 };
  const options = { nowMs: () => clock.ms, ...(burst === undefined ? {} : { burst }) };
  return { clock, tokens: new TokenBucket(perS, options) };
}

test('what is there is taken at once; beyond it takers wait, who comes later longer', () => {
  const { tokens, clock } = bucket(100);
  assert.equal([tokens.take(60), tokens.take(40), tokens.take(50), tokens.take(50)], [0, 0, 500, 1_000]);
  clock.ms = 1_000;
  assert.is(tokens.take(10), 100);
});

test('a rest fills it to its burst and no further', () => {
  const { tokens, clock } = bucket(10, 20);
  tokens.take(20);
  clock.ms = 60_000;
  assert.is(tokens.tokens, 20);
});

test('what would be owed is not taken where nothing may be', () => {
  const { tokens, clock } = bucket(1, 2);
  assert.equal([tokens.tryTake(1), tokens.tryTake(1), tokens.tryTake(1)], [true, true, false]);
  clock.ms = 1_000;
  assert.equal([tokens.tryTake(1), tokens.tryTake(1)], [true, false]);
});

test('a clock that stands or goes back gives nothing', () => {
  const { tokens, clock } = bucket(10);
  tokens.take(10);
  clock.ms = -1_000;
  assert.is(tokens.tokens, 0);
});

test.run();
