import * as assert from 'uvu/assert';
import { Held } from '../../shared/nats/held.ts';
import { suite } from '../harness/suite.ts';

const test = suite('messages that are held, by whose they are');

const holding = (held: Held, whose: string, times: number): void => {
  for (let time = 0; time < times; time++) held.add(whose);
};

test('one has a quarter at most, all together half; whoever has none may always have one', () => {
  const held = new Held(16);
  holding(held, 'alice', 3);
  assert.is(held.isTooMany('alice'), false);
  held.add('alice');
  assert.is(held.isTooMany('alice'), true, 'a quarter');
  holding(held, 'bob', 1);
  assert.is(held.isTooMany('bob'), false);
  holding(held, 'carol', 3);
  assert.is(held.isTooMany('bob'), true, 'half is held');
  assert.is(held.isTooMany('dave'), false, 'the first of somebody');
  assert.is(held.room, 8);
});

test('what was answered makes room again', () => {
  const held = new Held(16);
  holding(held, 'alice', 4);
  held.delete('alice');
  assert.equal([held.isTooMany('alice'), held.room], [false, 13]);
});

test.run();
