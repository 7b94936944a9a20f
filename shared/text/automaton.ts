/**
 * Finds any number of texts in one pass (Aho and Corasick, "Efficient string matching", CACM 18, 1975): the time is that of the
 * text alone, whatever it says and whatever is looked for. Texts are Latin-1, one byte a character. Pure.
 */
export class Automaton {
  /** Where a character leads from a state; state 0 is the root. */
  readonly #next = new Map<number, number>();
  readonly #fallback: number[] = [0];
  /** The longest of the texts that ends in a state, -1 for none. */
  readonly #ends: number[] = [-1];

  constructor(texts: readonly string[]) {
    for (const [index, text] of texts.entries()) this.#add(text, index);
    this.#link(texts);
  }

  /** Calls `found` with the index of the longest of the texts that ends at each place, and the place behind its end. */
  search(text: string, found: (index: number, end: number) => void): void {
    let state = 0;
    for (let at = 0; at < text.length; at++) {
      state = this.#step(state, text.charCodeAt(at));
      const index = this.#ends[state] ?? -1;
      if (index >= 0) found(index, at + 1);
    }
  }

  #step(from: number, code: number): number {
    for (let state = from; ; state = this.#fallback[state] ?? 0) {
      const next = this.#next.get(state * 256 + code);
      if (next !== undefined) return next;
      if (state === 0) return 0;
    }
  }

  #add(text: string, index: number): void {
    let state = 0;
    for (let at = 0; at < text.length; at++) {
      const key = state * 256 + text.charCodeAt(at);
      let next = this.#next.get(key);
      if (next === undefined) {
        next = this.#ends.length;
        this.#next.set(key, next);
        this.#ends.push(-1);
        this.#fallback.push(0);
      }
      state = next;
    }
    // An empty text is nowhere.
    if (state !== 0 && this.#ends[state] === -1) this.#ends[state] = index;
  }

  /** Level by level: where a text goes on when the next character does not fit, and which shorter one ends there too. */
  #link(texts: readonly string[]): void {
    const states = texts.map(() => 0);
    const longest = texts.reduce((most, { length }) => Math.max(most, length), 0);
    for (let at = 0; at < longest; at++) {
      for (const [index, text] of texts.entries()) {
        if (at >= text.length) continue;
        const parent = states[index] ?? 0;
        const code = text.charCodeAt(at);
        const state = this.#next.get(parent * 256 + code) ?? 0;
        states[index] = state;
        const fallback = parent === 0 ? 0 : this.#step(this.#fallback[parent] ?? 0, code);
        this.#fallback[state] = fallback;
        if (this.#ends[state] === -1) this.#ends[state] = this.#ends[fallback] ?? -1;
      }
    }
  }
}
