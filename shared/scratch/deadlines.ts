const TICK_MS = 100;

interface Pending {
  readonly dueMs: number;
  expire(): void;
}

/**
 * Time limits of many operations on one coarse timer: a timer of its own would cost each more than the wrapper does.
 * A limit is kept to within 100 ms, never early.
 */
export class Deadlines {
  readonly #pending = new Set<Pending>();
  #timer: NodeJS.Timeout | undefined;

  /** The outcome of `work`, or `late()` as the error. The work itself goes on: nothing can call it back. */
  within<T>(work: Promise<T>, timeoutMs: number, late: () => Error): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const entry: Pending = { dueMs: performance.now() + timeoutMs, expire: () => reject(late()) };
      this.#pending.add(entry);
      this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
      work.then(
        (value) => {
          this.#pending.delete(entry);
          resolve(value);
        },
        (error: unknown) => {
          this.#pending.delete(entry);
          reject(error);
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
