/**
 * Slots of tasks, shared alike by those whose tasks they are. Whoever has nothing under way gets a slot at once, however many
 * tasks of others run or wait; beyond that one there are so many slots of all together, and those who wait take turns.
 */
export class FairSlots {
  readonly #slots: number;
  /** In the order of their turns. */
  readonly #waiting = new Map<string, (() => void)[]>();
  readonly #running = new Map<string, number>();
  #all = 0;

  constructor(slots: number) {
    this.#slots = slots;
  }

  async run<T>(whose: string, task: () => Promise<T>): Promise<T> {
    if (this.#isFree(whose)) this.#take(whose);
    else await this.#turn(whose);
    try {
      return await task();
    } finally {
      this.#giveBack(whose);
    }
  }

  #isFree(whose: string): boolean {
    return this.#all < this.#slots || !this.#running.has(whose);
  }

  #take(whose: string): void {
    this.#running.set(whose, (this.#running.get(whose) ?? 0) + 1);
    this.#all += 1;
  }

  /** The slot is taken for it by whoever calls it. */
  #turn(whose: string): Promise<void> {
    return new Promise((resolve) => {
      const own = this.#waiting.get(whose);
      if (own === undefined) this.#waiting.set(whose, [resolve]);
      else own.push(resolve);
    });
  }

  #giveBack(whose: string): void {
    const left = (this.#running.get(whose) ?? 1) - 1;
    if (left > 0) this.#running.set(whose, left);
    else this.#running.delete(whose);
    this.#all -= 1;
    for (const [next, own] of this.#waiting) {
      if (!this.#isFree(next)) continue;
      const start = own.shift();
      // To the end of the line: the others come before the next one of the same.
      this.#waiting.delete(next);
      if (own.length > 0) this.#waiting.set(next, own);
      if (start === undefined) continue;
      this.#take(next);
      start();
      return;
    }
  }
}
