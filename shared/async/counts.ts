/** How many each of many has, and all together. Who has none takes no memory. */
export class Counts {
  readonly #own = new Map<string, number>();
  #all = 0;

  get all(): number {
    return this.#all;
  }

  /** Who has any. */
  keys(): Iterable<string> {
    return this.#own.keys();
  }

  /** Who has most. */
  get most(): string | undefined {
    let found: string | undefined;
    for (const [whose, count] of this.#own) if (found === undefined || count > this.of(found)) found = whose;
    return found;
  }

  of(whose: string): number {
    return this.#own.get(whose) ?? 0;
  }

  add(whose: string): void {
    this.#own.set(whose, this.of(whose) + 1);
    this.#all += 1;
  }

  /** One that was added. */
  remove(whose: string): void {
    const left = this.of(whose) - 1;
    if (left > 0) this.#own.set(whose, left);
    else this.#own.delete(whose);
    this.#all -= 1;
  }
}
