import * as assert from 'uvu/assert';
import { Held } from '../../shared/nats/held.ts';
import { suite } from '../harness/suite.ts';

const test = suite('messages that are held, by whose they are');

const holding = (held: Held, whose: string, times: number, nowMs = 0): void => {
  for (let time = 0; time < times; time++) held.hold(whose, nowMs);
};

test('one has a quarter at most, all together half; whoever has none may always have one', () => {
  const held = new Held(16);
  holding(held, 'alice', 3);
  assert.is(held.isTooMany('alice', false, 0), false);
  holding(held, 'alice', 1);
  assert.is(held.isTooMany('alice', false, 0), true, 'a quarter');
  holding(held, 'bob', 1);
  assert.is(held.isTooMany('bob', false, 0), false);
  holding(held, 'carol', 3);
  assert.is(held.isTooMany('bob', false, 0), true, 'half is held');
  assert.is(held.isTooMany('dave', false, 0), false, 'the first of somebody');
  assert.is(held.room(0), 8);
});

test('what was answered makes room again', () => {
  const held = new Held(16);
  holding(held, 'alice', 3);
  const letGo = held.hold('alice', 0);
  assert.equal([held.isTooMany('alice', false, 0), held.room(0)], [true, 12]);
  letGo();
  assert.equal([held.isTooMany('alice', false, 0), held.room(0)], [false, 13]);
});

test('while all are answered soon, half is held, of whomever, and none is too many', () => {
  const held = new Held(16, 1_000);
  holding(held, 'alice', 8);
  assert.equal([held.room(999), held.isTooMany('alice', false, 999)], [0, false]);
});

test('when those of one are slow there is room for others, and his are too many', () => {
  const held = new Held(16, 1_000);
  holding(held, 'alice', 8);
  assert.equal([held.room(1_000), held.isTooMany('alice', false, 1_000)], [8, true]);
  holding(held, 'bob', 4, 1_000);
  assert.equal(
    [held.isTooMany('bob', false, 1_000), held.isTooMany('carol', false, 1_000)],
    [true, false],
    'the rest is for firsts',
  );
});

test('one that others wait for is too many only where the rest is for firsts', () => {
  const held = new Held(16);
  holding(held, 'alice', 11);
  assert.equal([held.isTooMany('alice', false, 0), held.isTooMany('alice', true, 0)], [true, false]);
  holding(held, 'alice', 1);
  assert.equal([held.isTooMany('alice', true, 0), held.isTooMany('bob', false, 0)], [true, false]);
});

test.run();
