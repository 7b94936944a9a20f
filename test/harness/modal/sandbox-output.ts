/** What one stream of a sandbox has written so far: read from any place, by anyone, as it comes. */
export class SandboxOutput {
  readonly #chunks: { readonly offset: number; readonly bytes: Buffer }[] = [];
  readonly #waiters = new Set<() => void>();
  #size = 0;
  #ended = false;

  write(bytes: Buffer): void {
    this.#chunks.push({ offset: this.#size, bytes });
    this.#size += bytes.length;
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** Chunks that reach beyond `offset`, until the stream ends or the reader goes away. */
  async *read(
    offset: number,
    signal: AbortSignal,
  ): AsyncGenerator<{ readonly offset: number; readonly bytes: Buffer }> {
    let at = offset;
    for (let index = 0; ; ) {
      const chunk = this.#chunks[index];
      if (signal.aborted) return;
      if (chunk === undefined) {
        if (this.#ended) return;
        await this.#more(signal);
        continue;
      }
      index += 1;
      const end = chunk.offset + chunk.bytes.length;
      if (end <= at) continue;
      yield { offset: at, bytes: chunk.bytes.subarray(at - chunk.offset) };
      at = end;
    }
  }

  all(): Buffer {
    return Buffer.concat(this.#chunks.map(({ bytes }) => bytes));
  }

  #wake(): void {
    for (const wake of [...this.#waiters]) wake();
  }

  #more(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        signal.removeEventListener('abort', wake);
        this.#waiters.delete(wake);
        resolve();
      };
      signal.addEventListener('abort', wake);
      this.#waiters.add(wake);
    });
  }
}
