const TICK_MS = 100;

interface Pending {
  readonly dueMs: number;
  expire(): void;
}

export interface Limit<T> {
  readonly limitMs: number;
  late(): Error;
  otherwise(error: unknown): Promise<T>;
}

/**
 * Time limits of many operations on one coarse timer: a timer of its own would cost each more than the wrapper does.
 * A limit is kept to within 100 ms, never early.
 */
export class Deadlines {
  readonly #pending = new Set<Pending>();
  #timer: NodeJS.Timeout | undefined;

  /**
   * The outcome of `work`; of `otherwise` when it fails or is late. The work itself goes on: nothing can call it back.
   */
  within<T>(work: () => Promise<T>, { limitMs, late, otherwise }: Limit<T>): Promise<T> {
    return new Promise<T>((resolve) => {
      const entry: Pending = { dueMs: performance.now() + limitMs, expire: () => resolve(otherwise(late())) };
      this.#pending.add(entry);
      this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
      work().then(
        (value) => {
          this.#pending.delete(entry);
          resolve(value);
        },
        (error: unknown) => {
          // After its time it has been dealt with.
          if (this.#pending.delete(entry)) resolve(otherwise(error));
        },
      );
    });
  }

  /** Ends the timer; what is still pending is not limited any more. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tick(): void {
    // Left running between operations, since starting a timer for each would be the cost this class avoids.
    if (this.#pending.size === 0) {
      this.close();
      return;
    }
    const nowMs = performance.now();
    for (const entry of this.#pending) {
      if (entry.dueMs > nowMs) continue;
      this.#pending.delete(entry);
      entry.expire();
    }
  }
}
