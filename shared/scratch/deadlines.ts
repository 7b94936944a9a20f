const TICK_MS = 100;

/** What `otherwise` is given for work that gave no answer in its time. */
export const LATE = Symbol('late');

/** Work under way. */
class Pending {
  readonly dueMs: number;
  readonly expire: () => void;
  /** Where it is in the list; -1 when it is not. */
  index: number;

  constructor(dueMs: number, expire: () => void, index: number) {
    this.dueMs = dueMs;
    this.expire = expire;
    this.index = index;
  }
}

/**
 * Time limits of many operations on one coarse timer: a timer of its own would cost each more than the wrapper does.
 * A limit is kept to within 100 ms, never early.
 */
export class Deadlines {
  /**
   * In no order. Not a Set: V8 makes a new table for one every few changes, and a table that reached the old space keeps all
   * later ones, with what they hold, until the next full collection. That cost more than the rest of the wrapper.
   */
  readonly #pending: Pending[] = [];
  #timer: NodeJS.Timeout | undefined;

  /**
   * The outcome of `work`; of `otherwise` when it fails or is late (`LATE`). The work itself goes on: nothing can call it back.
   */
  within<T>(work: () => Promise<T>, limitMs: number, otherwise: (error: unknown) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve) => {
      const entry = this.#add(limitMs, () => resolve(otherwise(LATE)));
      work().then(
        (value) => {
          this.#remove(entry);
          resolve(value);
        },
        (error: unknown) => {
          // After its time it has been dealt with.
          if (this.#remove(entry)) resolve(otherwise(error));
        },
      );
    });
  }

  /** Ends the timer; what is still pending is not limited any more. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #add(limitMs: number, expire: () => void): Pending {
    const entry = new Pending(performance.now() + limitMs, expire, this.#pending.length);
    this.#pending.push(entry);
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
    return entry;
  }

  /** Whether it was still there. */
  #remove(entry: Pending): boolean {
    if (entry.index === -1) return false;
    const last = this.#pending.pop();
    if (last !== undefined && last !== entry) {
      this.#pending[entry.index] = last;
      last.index = entry.index;
    }
    entry.index = -1;
    return true;
  }

  #tick(): void {
    // Left running between operations, since starting a timer for each would be the cost this class avoids.
    if (this.#pending.length === 0) {
      this.close();
      return;
    }
    const nowMs = performance.now();
    for (const entry of this.#pending.filter(({ dueMs }) => dueMs <= nowMs)) {
      this.#remove(entry);
      entry.expire();
    }
  }
}
