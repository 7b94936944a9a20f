import * as assert from 'uvu/assert';
import { FairSlots } from '../../shared/async/fair-slots.ts';
import { suite } from '../harness/suite.ts';

const test = suite('fair slots');

/** Tasks that run until they are ended, in the order in which they got their slots. */
class Tasks {
  readonly started: string[] = [];
  readonly #slots: FairSlots;
  readonly #ends = new Map<string, () => void>();

  constructor(slots: number) {
    this.#slots = new FairSlots(slots);
  }

  /** `a1` is the first one of a. */
  add(...names: readonly string[]): void {
    for (const name of names) {
      const task = () => {
        this.started.push(name);
        return new Promise<void>((resolve) => this.#ends.set(name, resolve));
      };
      void this.#slots.run(name.charAt(0), task);
    }
  }

  /** @returns what has started since */
  async end(name: string): Promise<string[]> {
    const before = this.started.length;
    this.#ends.get(name)?.();
    await new Promise(setImmediate);
    return this.started.slice(before);
  }
}

test('whoever has nothing under way gets a slot at once, beyond those of all', () => {
  const tasks = new Tasks(2);
  tasks.add('a1', 'a2', 'a3', 'b1', 'b2', 'c1');
  assert.equal(tasks.started, ['a1', 'a2', 'b1', 'c1']);
});

test('no more than the slots of all run beyond the first of each, and those who wait take turns', async () => {
  const tasks = new Tasks(2);
  tasks.add('a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'b3');
  assert.equal(tasks.started, ['a1', 'a2', 'b1']);
  assert.equal(await tasks.end('a1'), []);
  assert.equal(await tasks.end('a2'), ['a3']);
  assert.equal(await tasks.end('a3'), ['b2']);
  assert.equal(await tasks.end('b1'), ['a4']);
  assert.equal(await tasks.end('b2'), ['b3']);
});

test('a task that fails gives its slot back', async () => {
  const slots = new FairSlots(1);
  const failed = slots.run('a', () => Promise.reject(new Error('no'))).catch((error: Error) => error.message);
  const next = slots.run('a', async () => 'ran');
  assert.equal(await Promise.all([failed, next]), ['no', 'ran']);
});

test.run();
