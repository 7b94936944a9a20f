/** What those who command have under way, folded from the ledger. Pure: the same messages give the same amounts. */

import { ANONYMOUS, type LedgerEvent } from '../../shared/ledger/events.ts';

/** A plan that was admitted and has not ended. */
export interface OpenPlan {
  readonly principal: string;
  /** What it may still write until its end. */
  readonly endBytes: number;
}

interface Rejection {
  readonly principal: string;
  readonly bytes: number;
  readonly atMs: number;
}

/** Of one principal, and of all. */
export interface Amounts {
  readonly ofPrincipal: number;
  readonly inAll: number;
}

/** What a plan writes to its end when each step runs once: with room for less, what was begun might not be ended. */
const END_BYTES = { plan: 8 * 1024, step: 6 * 1024, predicate: 1024 } as const;

/** Earlier versions did not say how many predicates a plan has. */
export const endBytesOf = ({
  steps,
  predicates,
}: {
  readonly steps: number;
  readonly predicates: number | null;
}): number => END_BYTES.plan + steps * END_BYTES.step + (predicates ?? 0) * END_BYTES.predicate;

/** Rejections count for so long. */
export const DAY_MS = 86_400_000;

/** One number by principal, and its sum. */
class Sums {
  readonly #byPrincipal = new Map<string, number>();
  #inAll = 0;

  add(principal: string, amount: number): void {
    const now = (this.#byPrincipal.get(principal) ?? 0) + amount;
    if (now === 0) this.#byPrincipal.delete(principal);
    else this.#byPrincipal.set(principal, now);
    this.#inAll += amount;
  }

  of(principal: string): Amounts {
    return { ofPrincipal: this.#byPrincipal.get(principal) ?? 0, inAll: this.#inAll };
  }

  get principals(): string[] {
    return [...this.#byPrincipal.keys()];
  }
}

/** A commit of the ledger that ends in one of the kinds that count. */
export interface CountedCommit {
  readonly planId: string;
  /** Of its message in the stream. */
  readonly seq: number;
  readonly bytes: number;
  readonly events: readonly LedgerEvent[];
}

export class Usage {
  readonly #open = new Map<string, OpenPlan>();
  readonly #claims = new Map<string, OpenPlan>();
  readonly #rejections = new Map<number, Rejection>();
  readonly #plans = new Sums();
  readonly #endBytes = new Sums();
  readonly #rejectedBytes = new Sums();

  /** A commit that was counted before changes nothing. */
  take({ planId, seq, bytes, events }: CountedCommit): void {
    const submitted = events.find((event) => event.kind === 'plan.submitted');
    const principal = submitted?.data.principal ?? ANONYMOUS;
    for (const event of events) {
      if (event.kind === 'plan.admitted') this.#admit(planId, { principal, endBytes: endBytesOf(event.data) });
      if (event.kind === 'plan.settled') this.#settle(planId);
      if (event.kind === 'plan.rejected') {
        const left = bytes + (submitted?.data.bytes ?? 0);
        this.#reject(seq, { principal, bytes: left, atMs: Date.parse(event.ts) });
      }
    }
  }

  /** Counts a plan that is about to be admitted. False when it is counted already. */
  claim(planId: string, plan: OpenPlan): boolean {
    if (this.#open.has(planId) || this.#claims.has(planId)) return false;
    this.#claims.set(planId, plan);
    this.#count(plan, 1);
    return true;
  }

  /** It was not admitted after all. What the ledger told meanwhile stays. */
  release(planId: string): void {
    const plan = this.#claims.get(planId);
    if (plan !== undefined) this.#count(plan, -1);
    this.#claims.delete(planId);
  }

  #admit(planId: string, plan: OpenPlan): void {
    this.release(planId);
    if (this.#open.has(planId)) return;
    this.#open.set(planId, plan);
    this.#count(plan, 1);
  }

  #settle(planId: string): void {
    const plan = this.#open.get(planId);
    if (plan !== undefined) this.#count(plan, -1);
    this.#open.delete(planId);
  }

  #count({ principal, endBytes }: OpenPlan, sign: 1 | -1): void {
    this.#plans.add(principal, sign);
    this.#endBytes.add(principal, sign * endBytes);
  }

  #reject(seq: number, rejection: Rejection): void {
    if (this.#rejections.has(seq)) return;
    this.#rejections.set(seq, rejection);
    this.#rejectedBytes.add(rejection.principal, rejection.bytes);
  }

  /** Counts a rejection that is about to be recorded, until it is released. */
  claimRejection(principal: string, bytes: number): void {
    this.#rejectedBytes.add(principal, bytes);
  }

  /** It is recorded, and counted from the ledger, or was not. */
  releaseRejection(principal: string, bytes: number): void {
    this.#rejectedBytes.add(principal, -bytes);
  }

  /** Forgets rejections of more than a day ago: the oldest stand first. */
  forget(nowMs: number): void {
    for (const [seq, { principal, bytes, atMs }] of this.#rejections) {
      if (atMs > nowMs - DAY_MS) return;
      this.#rejections.delete(seq);
      this.#rejectedBytes.add(principal, -bytes);
    }
  }

  openPlans(principal: string): Amounts {
    return this.#plans.of(principal);
  }

  rejectedBytes(principal: string): Amounts {
    return this.#rejectedBytes.of(principal);
  }

  /** What open plans may still write. */
  endBytes(principal: string): Amounts {
    return this.#endBytes.of(principal);
  }

  /** Those who have something under way, or were rejected in a day. */
  get principals(): string[] {
    return [...new Set([...this.#plans.principals, ...this.#rejectedBytes.principals])].sort();
  }
}
