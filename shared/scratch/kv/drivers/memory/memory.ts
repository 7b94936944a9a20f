import { getOrAdd, memoryStore } from '../../../../providers/memory/store.ts';
import type { KvCapabilities } from '../../../capabilities.ts';
import { addToDecimal } from '../../integer.ts';
import type { KvBackend, KvDriver } from '../../kv.ts';

interface Entry {
  readonly value: Uint8Array;
  /** Infinity: it stays. */
  readonly expiresAtMs: number;
}

type Plans = Map<string, Map<string, Entry>>;

const CAPABILITIES: KvCapabilities = { ttl: 'ms', maxValueBytes: 16 * 1024 * 1024, durable: false };

/** How many writes of one plan come between two looks for keys that have expired and were never read again. */
const WRITES_PER_SWEEP = 1_024;

class MemoryKv implements KvDriver {
  readonly name = 'memory';
  readonly isInProcess = true;
  readonly capabilities = CAPABILITIES;
  readonly #plans: Plans;
  #writes = 0;

  constructor(plans: Plans) {
    this.#plans = plans;
  }

  async get(planId: string, key: string): Promise<Uint8Array | undefined> {
    const entry = this.#entry(planId, key);
    return entry === undefined ? undefined : Buffer.from(entry.value);
  }

  async put(planId: string, key: string, value: Uint8Array, ttlMs: number | undefined): Promise<void> {
    this.#set(planId, key, { value: Buffer.from(value), expiresAtMs: expiry(ttlMs) });
  }

  async delete(planId: string, key: string): Promise<void> {
    this.#plans.get(planId)?.delete(key);
  }

  async incr(planId: string, key: string, by: number, ttlMs: number | undefined): Promise<number> {
    const entry = this.#entry(planId, key);
    const sum = addToDecimal(entry?.value, by);
    const expiresAtMs = ttlMs === undefined && entry !== undefined ? entry.expiresAtMs : expiry(ttlMs);
    this.#set(planId, key, { value: Buffer.from(String(sum)), expiresAtMs });
    return sum;
  }

  async purgePlan(planId: string): Promise<void> {
    this.#plans.delete(planId);
  }

  async close(): Promise<void> {
    // A store with a name is there for the next client.
  }

  #entry(planId: string, key: string): Entry | undefined {
    const keys = this.#plans.get(planId);
    const entry = keys?.get(key);
    if (entry === undefined || entry.expiresAtMs === Infinity || entry.expiresAtMs > Date.now()) return entry;
    keys?.delete(key);
    return undefined;
  }

  #set(planId: string, key: string, entry: Entry): void {
    const keys = getOrAdd(this.#plans, planId, () => new Map<string, Entry>());
    keys.set(key, entry);
    if (++this.#writes % WRITES_PER_SWEEP !== 0) return;
    const nowMs = Date.now();
    for (const [old, { expiresAtMs }] of keys) if (expiresAtMs <= nowMs) keys.delete(old);
  }
}

const expiry = (ttlMs: number | undefined): number => (ttlMs === undefined ? Infinity : Date.now() + ttlMs);

const stores = new Map<string, Plans>();

export const memoryKv: KvBackend = {
  capabilities: () => CAPABILITIES,
  open: async (url) => new MemoryKv(memoryStore(stores, url, (): Plans => new Map())),
};
