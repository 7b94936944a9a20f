import * as assert from 'uvu/assert';
import { FairSlots } from '../../shared/async/fair-slots.ts';
import { suite } from '../harness/suite.ts';

const test = suite('fair slots');

/** Tasks that run until they are ended, in the order in which they got their slots. */
class Tasks {
  readonly started: string[] = [];
  readonly #slots: FairSlots;
  readonly #ends = new Map<string, () => void>();

  constructor(slots: number, options?: { readonly firstsAreFree: boolean }) {
    this.#slots = new FairSlots(slots, options);
  }

  /** `a1` is the first one of a. */
  async add(...names: readonly string[]): Promise<void> {
    for (const name of names) {
      const task = () => {
        this.started.push(name);
        return new Promise<void>((resolve) => this.#ends.set(name, resolve));
      };
      void this.#slots.run(name.charAt(0), task);
    }
    await new Promise(setImmediate);
  }

  /** @returns what has started since */
  async end(name: string): Promise<string[]> {
    const before = this.started.length;
    this.#ends.get(name)?.();
    await new Promise(setImmediate);
    return this.started.slice(before);
  }
}

test('whoever has nothing under way gets a slot at once, beyond those of all', async () => {
  const tasks = new Tasks(2);
  await tasks.add('a1', 'a2', 'a3', 'b1', 'b2', 'c1');
  assert.equal(tasks.started, ['a1', 'a2', 'b1', 'c1']);
});

test('no more than the slots of all run beyond the first of each, and those who wait take turns', async () => {
  const tasks = new Tasks(2);
  await tasks.add('a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'b3');
  assert.equal(tasks.started, ['a1', 'a2', 'b1']);
  assert.equal(await tasks.end('a1'), []);
  assert.equal(await tasks.end('a2'), ['a3']);
  assert.equal(await tasks.end('a3'), ['b2']);
  assert.equal(await tasks.end('b1'), ['a4']);
  assert.equal(await tasks.end('b2'), ['b3']);
});

test('where firsts are not free nobody runs beyond the slots, and the next is his who has least under way', async () => {
  const tasks = new Tasks(2, { firstsAreFree: false });
  await tasks.add('a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'c1');
  assert.equal(tasks.started, ['a1', 'a2']);
  assert.equal(await tasks.end('a1'), ['b1']);
  assert.equal(await tasks.end('a2'), ['a3'], 'c has none either, and came later');
  assert.equal(await tasks.end('a3'), ['c1']);
  assert.equal(await tasks.end('c1'), ['a4'], 'b has one');
  assert.equal(await tasks.end('a4'), ['b2']);
});

test('whoever waits no longer takes no slot, and nobody behind it is forgotten', async () => {
  const slots = new FairSlots(1, { firstsAreFree: false });
  const giveBack = await slots.take('a');
  const ends = new AbortController();
  const [left, next] = [slots.take('b', ends.signal), slots.take('b')];
  ends.abort();
  assert.is(await left, undefined);
  giveBack?.();
  assert.type(await next, 'function');
});

test('a task that fails gives its slot back', async () => {
  const slots = new FairSlots(1);
  const failed = slots.run('a', () => Promise.reject(new Error('no'))).catch((error: Error) => error.message);
  const next = slots.run('a', async () => 'ran');
  assert.equal(await Promise.all([failed, next]), ['no', 'ran']);
});

test.run();
