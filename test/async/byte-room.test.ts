import * as assert from 'uvu/assert';
import { ByteRoom } from '../../shared/async/byte-room.ts';
import { suite } from '../harness/suite.ts';

const test = suite('room for bytes');

/** Work of so many bytes that lasts until it is told to end. */
function held(room: ByteRoom, bytes: number, whose = 'a') {
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const work = { isIn: false, end: () => end(), done: Promise.resolve() };
  work.done = room.during(whose, bytes, () => {
    work.isIn = true;
    return ended;
  });
  return work;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('never more than there is room for, in the order in which it was asked: what is small does not pass what is large', async () => {
  const room = new ByteRoom(10);
  const all = [6, 5, 1, 4].map((bytes) => held(room, bytes));
  const [first, second, third, fourth] = all as [(typeof all)[0], (typeof all)[0], (typeof all)[0], (typeof all)[0]];
  const inside = async (): Promise<boolean[]> => {
    await turn();
    return all.map(({ isIn }) => isIn);
  };
  assert.equal(await inside(), [true, false, false, false]);
  first.end();
  assert.equal(await inside(), [true, true, true, true], '5, 1 and 4 fit together');
  for (const one of [second, third, fourth]) one.end();
  await Promise.all(all.map(({ done }) => done));
});

test('what is larger than the room has it alone, and work that fails gives its room back', async () => {
  const room = new ByteRoom(10);
  const large = held(room, 1_000);
  const failing = room.during('a', 10, () => Promise.reject(new Error('no')));
  large.end();
  assert.is(await failing.catch(({ message }: Error) => message), 'no');
  assert.is(await room.during('a', 10, async () => 'yes'), 'yes');
});

test('those who wait take turns: one who comes behind many of another waits for what is inside, and for one in line', async () => {
  const room = new ByteRoom(10);
  const inside = held(room, 10, 'alice');
  const line = Array.from({ length: 5 }, () => held(room, 10, 'alice'));
  const other = held(room, 10, 'bob');
  const [first] = line;
  inside.end();
  await turn();
  first?.end();
  await turn();
  assert.equal([other.isIn, line.map(({ isIn }) => isIn)], [true, [true, false, false, false, false]]);
  for (const one of [other, ...line]) one.end();
  await Promise.all([inside, other, ...line].map(({ done }) => done));
});

test('whoever has the turn is not overtaken by what is small, whosever it is', async () => {
  const room = new ByteRoom(10);
  const inside = held(room, 6, 'alice');
  const large = held(room, 8, 'alice');
  const small = held(room, 1, 'bob');
  await turn();
  assert.equal([large.isIn, small.isIn], [false, false]);
  inside.end();
  await turn();
  assert.equal([large.isIn, small.isIn], [true, true]);
  for (const one of [large, small]) one.end();
  await Promise.all([inside, large, small].map(({ done }) => done));
});

test.run();
