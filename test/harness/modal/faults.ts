/**
 * - `unavailable`: the call ends in UNAVAILABLE.
 * - `disconnect`: every connection is cut, as by a proxy that dies; what was in flight has no answer.
 * - `silence`: no answer, ever; the client's own time limit ends the call.
 */
export type FaultKind = 'unavailable' | 'disconnect' | 'silence';

/** Before the effect nothing was done; after it all is done, and only the answer is lost. */
export type FaultMoment = 'before' | 'after';

export interface Fault {
  readonly when: FaultMoment;
  readonly kind: FaultKind;
}

export interface FaultRate {
  /** All when absent. */
  readonly methods?: readonly string[];
  /** Which part of the calls, from 0 to 1. */
  readonly rate: number;
  readonly kinds?: readonly FaultKind[];
  readonly moments?: readonly FaultMoment[];
  /** The same seed gives the same dice. */
  readonly seed: number;
}

/** A small generator of numbers from 0 to 1 (mulberry32): tests need a seed, which Math.random has not. */
export function dice(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const pick = <T>(from: readonly T[], roll: number): T | undefined => from[Math.floor(roll * from.length)];

/** What goes wrong next. Programmed by tests, asked by the control plane. */
export class Faults {
  readonly #planned = new Map<string, Fault[]>();
  #random: ((method: string) => Fault | undefined) | undefined;
  /** How often each method met a fault. */
  readonly met = new Map<string, number>();

  /** The next `times` calls of a method meet this. */
  next(method: string, fault: Fault, times = 1): void {
    const planned = this.#planned.get(method) ?? [];
    this.#planned.set(method, [...planned, ...Array.from({ length: times }, () => fault)]);
  }

  /** From now on a part of the calls meets a fault, until `clear`. */
  atRandom({ methods, rate, seed, kinds = ['unavailable'], moments = ['before', 'after'] }: FaultRate): void {
    const roll = dice(seed);
    this.#random = (method) => {
      if (methods !== undefined && !methods.includes(method)) return undefined;
      if (roll() >= rate) return undefined;
      const [kind, when] = [pick(kinds, roll()), pick(moments, roll())];
      return kind === undefined || when === undefined ? undefined : { kind, when };
    };
  }

  clear(): void {
    this.#planned.clear();
    this.#random = undefined;
  }

  /** What one call meets. */
  take(method: string): Fault | undefined {
    const fault = this.#planned.get(method)?.shift() ?? this.#random?.(method);
    if (fault !== undefined) this.met.set(method, (this.met.get(method) ?? 0) + 1);
    return fault;
  }
}
