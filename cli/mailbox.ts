/** Things from several sources, taken one after another in the order they came. */
export class Mailbox<T> {
  readonly #waiting: T[] = [];
  #wake: () => void = () => undefined;
  #end: { readonly error: unknown } | undefined;

  put(item: T): void {
    this.#waiting.push(item);
    this.#wake();
  }

  /** No more comes; with an error, the reader gets it after what is waiting. */
  end(error?: unknown): void {
    this.#end ??= { error };
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      for (let item = this.#waiting.shift(); item !== undefined; item = this.#waiting.shift()) yield item;
      if (this.#end !== undefined) {
        if (this.#end.error !== undefined) throw this.#end.error;
        return;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
