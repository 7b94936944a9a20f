/** What grows from round to round, told from what only varies. Pure. */
import type { Measure } from './measures.ts';

/** Connections, pipes of judges and pools differ by this much. */
const DESCRIPTORS_VARY = 24;
/** Caches of plans fill by less than this a round. */
const HEAP_MB_A_ROUND = 0.5;
const RSS_MB_A_ROUND = 24;
/** So many rounds in a row must have grown: code that is compiled as it is first used grows for three. */
const ROUNDS = 5;

/** Of one copy, as long as one process of it lived. */
export class History {
  readonly #name: string;
  #measures: Measure[] = [];
  #fewest = Number.POSITIVE_INFINITY;

  constructor(name: string) {
    this.#name = name;
  }

  /** @returns what is wrong with the newest measure */
  add(measure: Measure, judgesMemory: boolean): string[] {
    if (this.#measures.at(-1)?.pid !== measure.pid) this.#measures = [];
    this.#measures.push(measure);
    this.#fewest = Math.min(this.#fewest, measure.descriptors);
    const findings: string[] = [];
    if (measure.descriptors > this.#fewest + DESCRIPTORS_VARY) {
      findings.push(`${this.#name} has ${measure.descriptors} descriptors, and had ${this.#fewest}`);
    }
    if (!judgesMemory) return findings;
    const heaps = this.#measures.map(({ heapMb }) => heapMb ?? 0);
    if (grows(heaps, HEAP_MB_A_ROUND)) findings.push(`${this.#name} holds more memory each round: ${mb(heaps)}`);
    const sizes = this.#measures.map(({ rssMb }) => rssMb);
    if (grows(sizes, RSS_MB_A_ROUND)) findings.push(`${this.#name} takes more memory each round: ${mb(sizes)}`);
    return findings;
  }
}

const mb = (values: readonly number[]): string => `${values.map((value) => value.toFixed(1)).join(', ')} MB`;

/** Whether each of the last rounds added more than a cache does. The first measure is of a process that has just started. */
export function grows(values: readonly number[], most: number): boolean {
  const last = values.slice(-ROUNDS - 1);
  return last.length > ROUNDS && last.slice(1).every((value, index) => value - (last[index] ?? value) > most);
}
