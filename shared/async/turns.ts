/** What waits, one of each owner in turn. */
export class Turns<T> {
  /** In the order of their turns. */
  readonly #waiting = new Map<string, T[]>();

  add(whose: string, one: T): void {
    const own = this.#waiting.get(whose);
    if (own === undefined) this.#waiting.set(whose, [one]);
    else own.push(one);
  }

  /** Whose turn it is. */
  get first(): T | undefined {
    const [own] = this.#waiting.values();
    return own?.[0];
  }

  /** Takes out what somebody added last. */
  dropNewest(whose: string): void {
    const own = this.#waiting.get(whose);
    own?.pop();
    if (own?.length === 0) this.#waiting.delete(whose);
  }

  /** Takes the next one out. @param isWanted of whom; default: of everybody */
  next(isWanted: (whose: string) => boolean = () => true): { readonly whose: string; readonly one: T } | undefined {
    for (const [whose, own] of this.#waiting) {
      if (!isWanted(whose)) continue;
      // To the end of the line: the others come before the next one of the same.
      this.#waiting.delete(whose);
      const one = own.shift();
      if (own.length > 0) this.#waiting.set(whose, own);
      if (one !== undefined) return { whose, one };
    }
    return undefined;
  }
}
