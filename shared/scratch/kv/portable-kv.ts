import { IsomorphError } from '../../errors/isomorph-error.ts';
import type { KvCapabilities } from '../capabilities.ts';
import { checkBytes, checkInteger, checkPlanId, checkText, checkTimeMs, MAX_TIME_S } from '../checks.ts';
import type { FactSink } from '../facts.ts';
import { type TellName, WITHHELD_NAME } from '../names.ts';
import { type OperationCounts, Operations } from '../operations.ts';
import type { ScratchOptions } from '../options.ts';
import type { Kv, KvDriver } from './kv.ts';
import { KvUsage } from './usage.ts';

const OPERATIONS = ['get', 'put', 'delete', 'incr', 'purgePlan'] as const;
export type KvOperation = (typeof OPERATIONS)[number];

const REPEATABLE = { isRepeatable: true };
/** An incr whose answer was lost may have counted. */
const ONCE = { isRepeatable: false };

type Target = Parameters<Kv['get']>[0];

function checkTarget({ planId, key }: Target): void {
  checkPlanId(planId);
  checkText(key, '/key');
}

/** The contract of `Kv` over any driver: what is the same everywhere, once. */
export class PortableKv implements Kv {
  readonly driver: string;
  readonly capabilities: KvCapabilities;
  readonly #driver: KvDriver;
  readonly #operations: Operations<KvOperation>;
  readonly #facts: FactSink | undefined;
  readonly #usage: KvUsage | undefined;

  constructor(driver: KvDriver, options: ScratchOptions = {}) {
    this.driver = driver.name;
    this.capabilities = driver.capabilities;
    this.#driver = driver;
    this.#operations = new Operations(
      { driver: `${driver.name} kv`, isInProcess: driver.isInProcess, names: OPERATIONS },
      options,
    );
    this.#facts = options.factSink;
    this.#usage = options.limit && new KvUsage(options.limit);
  }

  async get(request: Target): Promise<Uint8Array | undefined> {
    checkTarget(request);
    const { planId, key } = request;
    return this.#operations.run('get', () => this.#driver.get(planId, key), REPEATABLE);
  }

  async put(request: Parameters<Kv['put']>[0]): Promise<void> {
    checkTarget(request);
    const { planId, key, value } = request;
    checkBytes(value, this.capabilities.maxValueBytes, '/value');
    const ttlMs = this.#ttlMs(request.ttlS);
    this.#usage?.put(planId, key, value, ttlMs);
    await this.#operations.run('put', () => this.#driver.put(planId, key, value, ttlMs), REPEATABLE);
    this.#changed(request, 'put');
  }

  async delete(request: Parameters<Kv['delete']>[0]): Promise<void> {
    checkTarget(request);
    const { planId, key } = request;
    await this.#operations.run('delete', () => this.#driver.delete(planId, key), REPEATABLE);
    this.#usage?.delete(planId, key);
    this.#changed(request, 'delete');
  }

  async incr(request: Parameters<Kv['incr']>[0]): Promise<number> {
    checkTarget(request);
    const { planId, key, by = 1 } = request;
    checkInteger(by, -Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, '/by');
    const ttlMs = this.#ttlMs(request.ttlS);
    this.#usage?.put(planId, key, undefined, ttlMs);
    const value = await this.#operations.run('incr', () => this.#driver.incr(planId, key, by, ttlMs), ONCE);
    this.#changed(request, 'incr');
    return value;
  }

  async purgePlan({ planId }: { readonly planId: string }): Promise<void> {
    checkPlanId(planId);
    await this.#operations.run('purgePlan', () => this.#driver.purgePlan(planId), REPEATABLE);
    this.#usage?.forget(planId);
  }

  /** How often each operation was called, failed and was repeated, since this client was opened. */
  counts(): Readonly<Record<KvOperation, OperationCounts>> {
    return this.#operations.counts();
  }

  async close(): Promise<void> {
    if (this.#operations.isClosed) return;
    this.#operations.close();
    await this.#driver.close();
  }

  #ttlMs(ttlS: number | undefined): number | undefined {
    if (ttlS === undefined) return undefined;
    const { ttl } = this.capabilities;
    const pointer = '/ttlS';
    if (ttl === 'none') throw new IsomorphError('ERR_UNIMPLEMENTED', 'this backend has no time to live', { pointer });
    if (ttl === 's') checkInteger(ttlS, 1, MAX_TIME_S, pointer);
    return checkTimeMs(ttlS, { minS: Number.MIN_VALUE, maxS: MAX_TIME_S, pointer });
  }

  #changed({ planId, key, tell }: Target & { readonly tell?: TellName }, op: 'put' | 'delete' | 'incr'): void {
    if (this.#facts === undefined) return;
    this.#facts.emit({ planId, kind: 'scratch.kv.changed', data: { key: tell?.(key) ?? WITHHELD_NAME, op } });
  }
}
