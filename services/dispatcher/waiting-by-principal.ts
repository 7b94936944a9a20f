import { Counts } from '../../shared/async/counts.ts';
import { within } from '../../shared/async/within.ts';
import type { PlacesByRuntime } from './queue-places.ts';

/** Executions of a principal that wait for the slots of one runtime, at most, of those that one dispatcher has scheduled. */
export const MOST_OF_PRINCIPAL = 8;

/** One that nothing was heard of for so long is not counted: whoever started or ended it may have been heard by nobody. */
const FORGOTTEN_MS = 30_000;

interface Waiting {
  readonly key: string;
  readonly planId: string;
  readonly sinceMs: number;
}

const keyOf = (principal: string, adapter: string): string => `${adapter} ${principal}`;

/**
 * What this dispatcher has scheduled of each principal and nobody has started yet. It decides only whether more of him is
 * scheduled now or a moment later, and may be wrong: nothing is lost by that (ADR 129).
 */
export class WaitingByPrincipal {
  readonly #nowMs: () => number;
  readonly #waiting = new Map<string, Waiting>();
  /** By principal and runtime, in the order in which they were scheduled. */
  readonly #own = new Map<string, Set<string>>();
  readonly #plans = new Map<string, Set<string>>();
  /** Places of what is about to be scheduled. */
  readonly #taken = new Counts();
  /** Those who ask for a place, to be told one after another. */
  readonly #askers = new Map<string, Set<() => void>>();

  /** @param nowMs monotonic */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Takes as many of the wanted places as there are; they are given back once it is known what was scheduled. */
  take(principal: string, wanted: PlacesByRuntime): PlacesByRuntime {
    const takeOf = ([adapter, count]: readonly [string, number]): [string, number] => {
      const key = keyOf(principal, adapter);
      const granted = Math.min(count, this.#free(key));
      for (let n = 0; n < granted; n++) this.#taken.add(key);
      return [adapter, granted];
    };
    return new Map([...wanted].map(takeOf));
  }

  giveBack(principal: string, taken: PlacesByRuntime): void {
    for (const [adapter, count] of taken) {
      const key = keyOf(principal, adapter);
      for (let n = 0; n < count; n++) this.#taken.remove(key);
      this.#tell(key, count);
    }
  }

  scheduled(principal: string, adapter: string, planId: string, executionId: string): void {
    const key = keyOf(principal, adapter);
    this.#waiting.set(executionId, { key, planId, sinceMs: this.#nowMs() });
    addTo(this.#own, key, executionId);
    addTo(this.#plans, planId, executionId);
  }

  /** Whether anything of the plan waits. */
  has(planId: string): boolean {
    return this.#plans.has(planId);
  }

  /** It has started, or will not. */
  left(executionId: string): void {
    const known = this.#waiting.get(executionId);
    if (known === undefined) return;
    this.#waiting.delete(executionId);
    removeFrom(this.#own, known.key, executionId);
    removeFrom(this.#plans, known.planId, executionId);
    this.#tell(known.key, 1);
  }

  /** Resolves when there is a place, with false when there was none within the time. */
  async freed(principal: string, adapter: string, withinMs: number): Promise<boolean> {
    const key = keyOf(principal, adapter);
    let tell: () => void = () => undefined;
    const told = new Promise<boolean>((resolve) => {
      tell = () => resolve(true);
    });
    addTo(this.#askers, key, tell);
    this.#tell(key, 1);
    return within(withinMs, told, () => false).finally(() => removeFrom(this.#askers, key, tell));
  }

  #free(key: string): number {
    const own = this.#own.get(key) ?? new Set();
    const forgottenMs = this.#nowMs() - FORGOTTEN_MS;
    for (const executionId of [...own]) {
      if ((this.#waiting.get(executionId)?.sinceMs ?? forgottenMs) > forgottenMs) break;
      this.left(executionId);
    }
    return Math.max(0, MOST_OF_PRINCIPAL - own.size - this.#taken.of(key));
  }

  /** So many places are free again: as many of those who ask are told. */
  #tell(key: string, places: number): void {
    const free = MOST_OF_PRINCIPAL - (this.#own.get(key)?.size ?? 0) - this.#taken.of(key);
    for (const tell of [...(this.#askers.get(key) ?? [])].slice(0, Math.max(0, Math.min(places, free)))) {
      removeFrom(this.#askers, key, tell);
      tell();
    }
  }
}

function addTo<T>(sets: Map<string, Set<T>>, key: string, one: T): void {
  sets.set(key, (sets.get(key) ?? new Set()).add(one));
}

function removeFrom<T>(sets: Map<string, Set<T>>, key: string, one: T): void {
  const set = sets.get(key);
  set?.delete(one);
  if (set?.size === 0) sets.delete(key);
}
