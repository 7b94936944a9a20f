import * as assert from 'uvu/assert';
import { Held } from '../../shared/nats/held.ts';
import { suite } from '../harness/suite.ts';

const test = suite('messages that are held, by whose they are');

/** As in a stream: each is behind those before it. */
let lastSeq = 0;
const next = (): number => {
  lastSeq += 1;
  return lastSeq;
};

const holding = (held: Held, whose: string, times: number, nowMs = 0): void => {
  for (let time = 0; time < times; time++) held.hold(whose, next(), nowMs);
};

test('one has a quarter at most, all together half; whoever has none may always have one', () => {
  const held = new Held(16);
  holding(held, 'alice', 3);
  assert.is(held.isTooMany('alice', next(), 0), false);
  holding(held, 'alice', 1);
  assert.is(held.isTooMany('alice', next(), 0), true, 'a quarter');
  holding(held, 'bob', 1);
  assert.is(held.isTooMany('bob', next(), 0), false);
  holding(held, 'carol', 3);
  assert.is(held.isTooMany('bob', next(), 0), true, 'half is held');
  assert.is(held.isTooMany('dave', next(), 0), false, 'the first of somebody');
  assert.is(held.room(0), 8);
});

test('what was answered makes room again', () => {
  const held = new Held(16);
  holding(held, 'alice', 3);
  const letGo = held.hold('alice', next(), 0);
  assert.equal([held.isTooMany('alice', next(), 0), held.room(0)], [true, 12]);
  letGo();
  assert.equal([held.isTooMany('alice', next(), 0), held.room(0)], [false, 13]);
});

test('while all are answered soon, half is held, of whomever, and none is too many', () => {
  const held = new Held(16, 1_000);
  holding(held, 'alice', 8);
  assert.equal([held.room(999), held.isTooMany('alice', next(), 999)], [0, false]);
});

test('when those of one are slow there is room for others, and his are too many', () => {
  const held = new Held(16, 1_000);
  holding(held, 'alice', 8);
  assert.equal([held.room(1_000), held.isTooMany('alice', next(), 1_000)], [8, true]);
  holding(held, 'bob', 4, 1_000);
  assert.equal(
    [held.isTooMany('bob', next(), 1_000), held.isTooMany('carol', next(), 1_000)],
    [true, false],
    'the rest is for firsts',
  );
});

test('the oldest of somebody is never too many: the others may wait for it', () => {
  const held = new Held(16);
  const oldest = next();
  holding(held, 'alice', 4);
  assert.equal([held.isTooMany('alice', next(), 0), held.isTooMany('alice', oldest, 0)], [true, false]);
});

test.run();
