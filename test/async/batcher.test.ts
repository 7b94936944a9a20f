import * as assert from 'uvu/assert';
import { Batcher } from '../../shared/async/batcher.ts';
import { suite } from '../harness/suite.ts';

const test = suite('batches');

interface Write {
  readonly key: string;
  readonly items: readonly number[];
  done(): void;
  fail(error: Error): void;
}

/** A batcher whose writes the test ends. */
function controlled(max: number) {
  const writes: Write[] = [];
  let onWrite: () => void = () => undefined;
  const batcher = new Batcher<number, string>({ maxItems: max, isInTurn: true }, (key, items) => {
    return new Promise((resolve, reject) => {
      writes.push({ key, items, done: () => resolve(items.map(() => `${key} ${items.join()}`)), fail: reject });
      onWrite();
    });
  });
  /** The write with this number, once it has begun. */
  const write = async (number: number): Promise<Write> => {
    while (writes.length <= number) {
      await new Promise<void>((resolve) => {
        onWrite = resolve;
      });
    }
    return writes[number] as Write;
  };
  return { batcher, writes, write };
}

test('a burst is one batch, in order, and each of it hears the result of its batch', async () => {
  const { batcher, writes, write } = controlled(10);
  const results = Promise.all([1, 2, 3].map((item) => batcher.add('plan', item)));
  (await write(0)).done();
  assert.equal(await results, ['plan 1,2,3', 'plan 1,2,3', 'plan 1,2,3']);
  assert.is(writes.length, 1);
});

test('what comes while a batch is being written goes into the next, in order and not before', async () => {
  const { batcher, writes, write } = controlled(10);
  const first = batcher.add('plan', 1);
  const one = await write(0);
  const later = Promise.all([2, 3].map((item) => batcher.add('plan', item)));
  await new Promise((resolve) => setImmediate(resolve));
  assert.is(writes.length, 1, 'two writes of one plan at once');
  one.done();
  (await write(1)).done();
  assert.equal([await first, ...(await later)], ['plan 1', 'plan 2,3', 'plan 2,3']);
});

test('a batch is no larger than it may be', async () => {
  const { batcher, writes, write } = controlled(2);
  const results = Promise.all([1, 2, 3, 4, 5].map((item) => batcher.add('plan', item)));
  for (const number of [0, 1, 2]) (await write(number)).done();
  await results;
  assert.equal(
    writes.map(({ items }) => items),
    [[1, 2], [3, 4], [5]],
  );
});

test('plans do not wait for each other', async () => {
  const { batcher, write } = controlled(10);
  const slow = batcher.add('slow', 1);
  const quick = batcher.add('quick', 2);
  const [one, two] = [await write(0), await write(1)];
  assert.equal([one.key, two.key], ['slow', 'quick']);
  two.done();
  assert.is(await quick, 'quick 2');
  one.done();
  assert.is(await slow, 'slow 1');
});

test('a failed batch fails all of it and nothing else', async () => {
  const { batcher, write } = controlled(10);
  const failing = [1, 2].map((item) => batcher.add('plan', item).then(String, (error: Error) => error.message));
  const first = await write(0);
  const next = batcher.add('plan', 3);
  first.fail(new Error('the ledger is away'));
  assert.equal(await Promise.all(failing), ['the ledger is away', 'the ledger is away']);
  (await write(1)).done();
  assert.is(await next, 'plan 3');
  const again = batcher.add('plan', 4);
  (await write(2)).done();
  assert.is(await again, 'plan 4', 'nothing follows a queue that ran empty');
});

test('calls of one moment go in batches within the limits, and each learns its own fate', async () => {
  const sent: number[][] = [];
  const sizes = [1, 1, 1, 1, 9, 99, 1];
  const limits = { maxItems: 3, maxBytes: 10, bytesOf: (item: number) => sizes[item] ?? 0, isInTurn: false };
  const batcher = new Batcher<number, undefined>(limits, async (_, items) => {
    sent.push([...items]);
    return items.map((item) => (item === 2 ? new Error('two') : undefined));
  });
  const outcomes = await Promise.allSettled(sizes.map((_, index) => batcher.add('q', index)));
  assert.equal(sent, [[0, 1, 2], [3, 4], [5], [6]]);
  assert.equal(
    outcomes.flatMap(({ status }, index) => (status === 'rejected' ? [index] : [])),
    [2],
  );
});

test('batches that need no turn do not wait for each other', async () => {
  let begun = 0;
  let bothBegan: () => void = () => undefined;
  const both = new Promise<void>((resolve) => {
    bothBegan = resolve;
  });
  const batcher = new Batcher<number, undefined>({ maxItems: 1, isInTurn: false }, async (_, items) => {
    begun += 1;
    if (begun === 2) bothBegan();
    await both;
    return items.map(() => undefined);
  });
  await Promise.all([batcher.add('q', 1), batcher.add('q', 2)]);
  assert.is(begun, 2);
});

test.run();
