/** Puts calls of one moment together, as SQS takes up to ten in one request for the price of one. */

export interface BatchLimits {
  readonly maxItems: number;
  readonly maxBytes: number;
}

interface Pending<Item> {
  readonly item: Item;
  readonly bytes: number;
  resolve(): void;
  reject(error: unknown): void;
}

/** Does a batch; answers in the order of the items what became of each: an error, or nothing. */
export type SendBatch<Item> = (queue: string, items: readonly Item[]) => Promise<readonly (Error | undefined)[]>;

export class Batcher<Item> {
  readonly #limits: BatchLimits;
  readonly #send: SendBatch<Item>;
  readonly #waiting = new Map<string, Pending<Item>[]>();

  constructor(limits: BatchLimits, send: SendBatch<Item>) {
    this.#limits = limits;
    this.#send = send;
  }

  /** Resolves when the item was sent; items of one queue that are added until the event loop turns go together. */
  add(queue: string, item: Item, bytes: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const entry = { item, bytes, resolve, reject };
      const others = this.#waiting.get(queue);
      if (others !== undefined) {
        others.push(entry);
        return;
      }
      this.#waiting.set(queue, [entry]);
      setImmediate(() => this.#flush(queue));
    });
  }

  #flush(queue: string): void {
    const waiting = this.#waiting.get(queue) ?? [];
    this.#waiting.delete(queue);
    let batch: Pending<Item>[] = [];
    let bytes = 0;
    for (const entry of waiting) {
      if (batch.length === this.#limits.maxItems || (batch.length > 0 && bytes + entry.bytes > this.#limits.maxBytes)) {
        void this.#deliver(queue, batch);
        batch = [];
        bytes = 0;
      }
      batch.push(entry);
      bytes += entry.bytes;
    }
    void this.#deliver(queue, batch);
  }

  async #deliver(queue: string, batch: readonly Pending<Item>[]): Promise<void> {
    try {
      const outcomes = await this.#send(
        queue,
        batch.map(({ item }) => item),
      );
      batch.forEach(({ resolve, reject }, index) => {
        const error = outcomes[index];
        if (error === undefined) resolve();
        else reject(error);
      });
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}
