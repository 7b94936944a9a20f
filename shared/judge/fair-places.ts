import { LRUCache } from 'lru-cache';
import { Counts } from '../async/counts.ts';

/** Who was refused is counted among those who want a place for as long as whoever asks again may wait before it does. */
const WANTED_MS = 30_000;
const REMEMBERED = 1_000;

export interface FairPlacesOptions {
  /** Of one asker at once. */
  readonly mostOfOne: number;
  /** Of all together; shared alike when more want them than there are. */
  readonly mostOfAll: number;
}

/** Places of those who wait with what they hold, such as a slot of a service: never more than `mostOfAll`, however many ask. */
export class FairPlaces {
  readonly #options: FairPlacesOptions;
  readonly #taken = new Counts();
  readonly #refused = new LRUCache<string, true>({ max: REMEMBERED, ttl: WANTED_MS });

  constructor(options: FairPlacesOptions) {
    this.#options = options;
  }

  /** Why the asker gets no more just now; undefined when it has one more. */
  take(asker: string): string | undefined {
    const { all } = this.#taken;
    const own = this.#taken.of(asker);
    const isFull = all >= this.#options.mostOfAll;
    if (isFull || own >= this.#share(asker)) {
      this.#refused.set(asker, true);
      return isFull
        ? `${all} costly questions are being judged`
        : `${own} costly questions of ${asker} are being judged`;
    }
    this.#refused.delete(asker);
    this.#taken.add(asker);
    return undefined;
  }

  giveBack(asker: string): void {
    this.#taken.remove(asker);
  }

  #share(asker: string): number {
    const { mostOfOne, mostOfAll } = this.#options;
    const wanting = new Set([...this.#taken.keys(), ...this.#refused.keys(), asker]);
    return Math.min(mostOfOne, Math.max(1, Math.floor(mostOfAll / wanting.size)));
  }
}
