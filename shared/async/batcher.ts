interface Entry<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

export interface BatcherOptions<Item> {
  readonly maxItems: number;
  /** Of all items of a batch together, as `bytesOf` tells; one item alone may be larger. Default: no limit. */
  readonly maxBytes?: number;
  readonly bytesOf?: (item: Item) => number;
  /** A batch waits until the one before it, of the same key, is done: then what comes meanwhile goes together. */
  readonly isInTurn: boolean;
}

/** Does a batch; answers in the order of the items what became of each. An error fails that item, a rejection all. */
export type DoBatch<Item, Result> = (key: string, items: readonly Item[]) => Promise<readonly (Result | Error)[]>;

/** Puts what arrives for a key in one turn of the event loop together, in order, into batches within limits. */
export class Batcher<Item, Result> {
  readonly #options: BatcherOptions<Item>;
  readonly #doBatch: DoBatch<Item, Result>;
  readonly #waiting = new Map<string, Entry<Item, Result>[]>();

  constructor(options: BatcherOptions<Item>, doBatch: DoBatch<Item, Result>) {
    this.#options = options;
    this.#doBatch = doBatch;
  }

  /** Resolves with what became of the item. */
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
    await new Promise((resolve) => setImmediate(resolve));
    for (let batch = this.#take(key); batch.length > 0; batch = this.#take(key)) {
      const done = this.#deliver(key, batch);
      if (this.#options.isInTurn) await done;
    }
    this.#waiting.delete(key);
  }

  /** As many of those that wait as one batch may hold. */
  #take(key: string): readonly Entry<Item, Result>[] {
    const { maxItems, maxBytes = Infinity, bytesOf = () => 0 } = this.#options;
    const waiting = this.#waiting.get(key) ?? [];
    let bytes = 0;
    const end = waiting.findIndex(({ item }, index) => {
      bytes += bytesOf(item);
      return index === maxItems || (index > 0 && bytes > maxBytes);
    });
    return waiting.splice(0, end === -1 ? waiting.length : end);
  }

  async #deliver(key: string, batch: readonly Entry<Item, Result>[]): Promise<void> {
    try {
      const items = batch.map(({ item }) => item);
      const outcomes = await this.#doBatch(key, items);
      for (const [index, { resolve, reject }] of batch.entries()) {
        const outcome = outcomes[index] as Result | Error;
        if (outcome instanceof Error) reject(outcome);
        else resolve(outcome);
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}
