import type { ModalDict } from './dict.ts';
import { isUnavailable } from './sdk.ts';

/** `o` names the attempt that wrote the cell. */
export interface ChainCell {
  readonly o: string;
}

/** What an attempt to write a cell came to; `there` is who was first, unless the chain is gone. */
export type Created<T> = { readonly isOurs: true } | { readonly isOurs: false; readonly there: T | undefined };

/**
 * A chain of cells 1, 2, 3 … in a Dict, each written once and never changed. To write cell n + 1 after reading cell n is a
 * compare-and-set: of those who try, one wins, and its `o` tells it so even when the answer was lost.
 */
export class CellChain<T extends ChainCell> {
  readonly #dict: ModalDict;
  readonly #prefix: string;
  readonly #parse: (value: unknown) => T;

  constructor(dict: ModalDict, prefix: string, parse: (value: unknown) => T) {
    this.#dict = dict;
    this.#prefix = prefix;
    this.#parse = parse;
  }

  async read(n: number): Promise<T | undefined> {
    const value = await this.#dict.get(`${this.#prefix}${n}`);
    return value === undefined ? undefined : this.#parse(value);
  }

  /** @throws IsomorphError ERR_UNAVAILABLE: then it may have been written. */
  async create(n: number, cell: T): Promise<Created<T>> {
    if (await this.#dict.putIfAbsent(`${this.#prefix}${n}`, cell)) return { isOurs: true };
    const there = await this.read(n);
    return there?.o === cell.o ? { isOurs: true } : { isOurs: false, there };
  }

  /** Only for cells of a chain that nobody can read as alive any more. */
  async remove(n: number): Promise<void> {
    await this.#dict.pop(`${this.#prefix}${n}`);
  }

  /** As `remove` for cells 1 to n, as far as Modal is there to do it. */
  async removeUpTo(n: number): Promise<void> {
    const removals = Array.from({ length: n }, (_, index) => this.remove(index + 1));
    for (const removal of await Promise.allSettled(removals)) {
      if (removal.status === 'rejected' && !isUnavailable(removal.reason)) throw removal.reason;
    }
  }

  /**
   * The last cell, found from a cell that is known to be there (0: the chain's start, which is no cell) in a number of reads
   * that grows with the logarithm of the distance.
   */
  async head(from: number): Promise<{ readonly n: number; readonly cell: T | undefined }> {
    let known: { n: number; cell: T | undefined } = { n: from, cell: undefined };
    let absent: number | undefined;
    for (let step = 1; absent === undefined; step *= 2) {
      const n = known.n + step;
      const cell = await this.read(n);
      if (cell === undefined) absent = n;
      else known = { n, cell };
    }
    while (known.n + 1 < absent) {
      const n = Math.floor((known.n + absent) / 2);
      const cell = await this.read(n);
      if (cell === undefined) absent = n;
      else known = { n, cell };
    }
    return known;
  }
}
