import { LRUCache } from 'lru-cache';
import { isOver, type PlanState } from '../ledger/state.ts';

/** Whoever follows a plan hears more than once of its end, and what is said of it afterwards comes in a row. */
const MAX_OVER = 20;

export interface PlanCacheOptions<Value> {
  /** Plans that go on. */
  readonly max: number;
  /** Of all of them together, as `sizeOf` counts. */
  readonly maxSize: number;
  readonly sizeOf: (value: Value) => number;
  readonly stateOf: (value: Value) => PlanState;
}

/**
 * What is known of plans between two messages of theirs. Of those that are over only the last few are kept, so that a service
 * which has run ten thousand plans holds no more than one that has just started.
 */
export class PlanCache<Value extends object> {
  readonly #goingOn: LRUCache<string, Value>;
  readonly #over = new LRUCache<string, Value>({ max: MAX_OVER });
  readonly #stateOf: (value: Value) => PlanState;

  constructor({ max, maxSize, sizeOf, stateOf }: PlanCacheOptions<Value>) {
    this.#goingOn = new LRUCache({ max, maxSize, sizeCalculation: sizeOf });
    this.#stateOf = stateOf;
  }

  get(planId: string): Value | undefined {
    return this.#goingOn.get(planId) ?? this.#over.get(planId);
  }

  set(planId: string, value: Value): void {
    const [its, others] = isOver(this.#stateOf(value)) ? [this.#over, this.#goingOn] : [this.#goingOn, this.#over];
    others.delete(planId);
    its.set(planId, value);
  }

  clear(): void {
    this.#goingOn.clear();
    this.#over.clear();
  }
}
