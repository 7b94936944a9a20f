import { Counts } from './counts.ts';
import { Turns } from './turns.ts';

/**
 * Slots of tasks, shared alike by those whose tasks they are. Whoever has nothing under way gets a slot at once, however many
 * tasks of others run or wait; beyond that one there are so many slots of all together, and those who wait take turns.
 */
export class FairSlots {
  readonly #slots: number;
  readonly #waiting = new Turns<() => void>();
  readonly #running = new Counts();

  constructor(slots: number) {
    this.#slots = slots;
  }

  async run<T>(whose: string, task: () => Promise<T>): Promise<T> {
    if (this.#isFree(whose)) this.#running.add(whose);
    // The slot is taken for it by whoever lets it go on.
    else await new Promise<void>((resolve) => this.#waiting.add(whose, resolve));
    try {
      return await task();
    } finally {
      this.#giveBack(whose);
    }
  }

  #isFree(whose: string): boolean {
    return this.#running.all < this.#slots || this.#running.of(whose) === 0;
  }

  #giveBack(whose: string): void {
    this.#running.remove(whose);
    const next = this.#waiting.next((one) => this.#isFree(one));
    if (next === undefined) return;
    this.#running.add(next.whose);
    next.one();
  }
}
