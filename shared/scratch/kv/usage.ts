import { LRUCache } from 'lru-cache';
import { checkLimit, type LimitOptions } from '../limits.ts';

interface Held {
  readonly bytes: number;
  /** Infinity: it stays. */
  readonly expiresAtMs: number;
}

interface PlanUse {
  readonly keys: Map<string, Held>;
  bytes: number;
}

/** Plans that are counted at once; of others that come the one that was longest not written to is counted anew. */
const PLANS = 1_000;
/** An integer as text. */
const COUNTER_BYTES = 17;

/**
 * What each plan holds in KV by what this process has written: backends cannot tell it without reading every key. What
 * another process wrote is not counted here, nor what was written before this one started (ADR 97).
 */
export class KvUsage {
  readonly #options: LimitOptions;
  readonly #plans = new LRUCache<string, PlanUse>({ max: PLANS });

  constructor(options: LimitOptions) {
    this.#options = options;
  }

  /**
   * A key is about to hold a value; undefined: a counter. It is counted from here on, since a write without an answer may
   * have been made.
   * @throws ERR_LIMIT, and then nothing is counted
   */
  put(planId: string, key: string, value: Uint8Array | undefined, ttlMs: number | undefined): void {
    const plan = this.#plans.get(planId) ?? { keys: new Map<string, Held>(), bytes: 0 };
    const before = plan.keys.get(key);
    if (value === undefined && before !== undefined && before.expiresAtMs > Date.now() && ttlMs === undefined) return;
    const bytes = Buffer.byteLength(key) + (value?.byteLength ?? COUNTER_BYTES);
    if (this.#isOver(plan, before, bytes)) forgetExpired(plan);
    const still = plan.keys.get(key);
    checkLimit(this.#options, 'kvKeys', planId, plan.keys.size + (still === undefined ? 1 : 0));
    checkLimit(this.#options, 'kvBytes', planId, plan.bytes + bytes - (still?.bytes ?? 0));
    plan.keys.set(key, { bytes, expiresAtMs: ttlMs === undefined ? Infinity : Date.now() + ttlMs });
    plan.bytes += bytes - (still?.bytes ?? 0);
    this.#plans.set(planId, plan);
  }

  delete(planId: string, key: string): void {
    const plan = this.#plans.get(planId);
    const held = plan?.keys.get(key);
    if (plan === undefined || held === undefined) return;
    plan.keys.delete(key);
    plan.bytes -= held.bytes;
  }

  forget(planId: string): void {
    this.#plans.delete(planId);
  }

  #isOver({ keys, bytes }: PlanUse, before: Held | undefined, added: number): boolean {
    const { kvKeys, kvBytes } = this.#options.limits;
    return keys.size + (before === undefined ? 1 : 0) > kvKeys || bytes + added - (before?.bytes ?? 0) > kvBytes;
  }
}

function forgetExpired(plan: PlanUse): void {
  const nowMs = Date.now();
  for (const [key, { bytes, expiresAtMs }] of plan.keys) {
    if (expiresAtMs > nowMs) continue;
    plan.keys.delete(key);
    plan.bytes -= bytes;
  }
}
