import { Counts } from './counts.ts';
import { Turns } from './turns.ts';

/**
 * Slots of tasks, shared alike by those whose tasks they are: those who wait take turns. Where firsts are free, whoever has
 * nothing under way gets a slot at once, however many tasks of others run or wait, and beyond that one there are so many slots
 * of all together. Otherwise nobody gets one beyond them, and the next that is given back is his who has least under way.
 */
export class FairSlots {
  readonly #slots: number;
  readonly #firstsAreFree: boolean;
  readonly #waiting = new Turns<() => void>();
  readonly #running = new Counts();

  constructor(slots: number, { firstsAreFree = true } = {}) {
    this.#slots = slots;
    this.#firstsAreFree = firstsAreFree;
  }

  async run<T>(whose: string, task: () => Promise<T>): Promise<T> {
    const giveBack = await this.take(whose);
    try {
      return await task();
    } finally {
      giveBack?.();
    }
  }

  /**
   * @param until ends the wait
   * @returns what gives the slot back; undefined when none was free until then
   */
  async take(whose: string, until?: AbortSignal): Promise<(() => void) | undefined> {
    if (this.#isFree(whose)) this.#running.add(whose);
    // The slot is taken for it by whoever lets it go on.
    else if (!(await this.#wait(whose, until))) return undefined;
    return () => this.#giveBack(whose);
  }

  #wait(whose: string, until: AbortSignal | undefined): Promise<boolean> {
    return new Promise((resolve) => {
      const leave = (): void => {
        this.#waiting.remove(whose, enter);
        resolve(false);
      };
      const enter = (): void => {
        until?.removeEventListener('abort', leave);
        resolve(true);
      };
      this.#waiting.add(whose, enter);
      until?.addEventListener('abort', leave, { once: true });
    });
  }

  /** How many tasks run of whoever waits and has least of them. */
  #leastOfWaiting(): number {
    return Math.min(...[...this.#waiting.owners].map((one) => this.#running.of(one)));
  }

  #isFree(whose: string): boolean {
    return this.#running.all < this.#slots || (this.#firstsAreFree && this.#running.of(whose) === 0);
  }

  #giveBack(whose: string): void {
    this.#running.remove(whose);
    const most = this.#firstsAreFree ? Number.POSITIVE_INFINITY : this.#leastOfWaiting();
    const next = this.#waiting.next((one) => this.#running.of(one) <= most && this.#isFree(one));
    if (next === undefined) return;
    this.#running.add(next.whose);
    next.one();
  }
}
