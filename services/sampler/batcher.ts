interface Entry<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/** Group commit: what arrives for a key while its last batch is being written goes into the next one, in order. */
export class Batcher<Item, Result> {
  readonly #max: number;
  readonly #write: (key: string, items: readonly Item[]) => Promise<Result>;
  readonly #waiting = new Map<string, Entry<Item, Result>[]>();

  constructor(max: number, write: (key: string, items: readonly Item[]) => Promise<Result>) {
    this.#max = max;
    this.#write = write;
  }

  /** Resolves with the result of the batch that held the item. */
  add(key: string, item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      const entry = { item, resolve, reject };
      const waiting = this.#waiting.get(key);
      if (waiting !== undefined) {
        waiting.push(entry);
        return;
      }
      this.#waiting.set(key, [entry]);
      void this.#drain(key);
    });
  }

  async #drain(key: string): Promise<void> {
    // One turn of the event loop: a burst that is being delivered becomes one batch.
    await new Promise((resolve) => setImmediate(resolve));
    for (;;) {
      const batch = this.#waiting.get(key)?.splice(0, this.#max) ?? [];
      if (batch.length === 0) break;
      try {
        const result = await this.#write(
          key,
          batch.map(({ item }) => item),
        );
        for (const { resolve } of batch) resolve(result);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#waiting.delete(key);
  }
}
