/** KV on Redis and Valkey: one string a key, so that the server does what it is best at. */
import { IsomorphError } from '../../../../errors/isomorph-error.ts';
import {
  connectRedis,
  type RedisConnection,
  type RedisScript,
  type RunScript,
} from '../../../../providers/redis/connection.ts';
import { redisFailure } from '../../../../providers/redis/faults.ts';
import type { KvCapabilities } from '../../../capabilities.ts';
import { notAnInteger, outOfRange } from '../../integer.ts';
import type { KvBackend, KvDriver } from '../../kv.ts';

/** Lua's numbers are doubles, exact as far as `incr` goes; a sum beyond is rounded, but never back into the range. */
const INCR: RedisScript = {
  name: 'isomorphIncr',
  numberOfKeys: 1,
  lua: `
    local MAX = 9007199254740991
    local old = redis.call('GET', KEYS[1]) or '0'
    if old ~= '0' and not string.find(old, '^%-?[1-9]%d*$') then return 'not an integer' end
    local value = tonumber(old)
    local sum = value + tonumber(ARGV[1])
    if value > MAX or value < -MAX or sum > MAX or sum < -MAX then return 'out of range' end
    redis.call('INCRBY', KEYS[1], ARGV[1])
    if ARGV[2] ~= '' then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
    return string.format('%.0f', sum)`,
};

const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const orUndefined = (value: Buffer | null): Buffer | undefined => value ?? undefined;
const nothing = (): void => undefined;

/** Made once: an async function around each call would cost as much as the rest of the driver. */
const [getFailed, putFailed, deleteFailed] = [redisFailure('get'), redisFailure('put'), redisFailure('delete')];

const CAPABILITIES: KvCapabilities = {
  ttl: 'ms',
  maxValueBytes: 16 * 1024 * 1024,
  // Redis answers before it writes to the disk, and with its defaults loses up to a minute.
  durable: false,
};

class RedisKv implements KvDriver {
  readonly name = 'redis';
  readonly capabilities = CAPABILITIES;
  readonly #redis: RedisConnection;
  readonly #incr: RunScript;

  constructor(redis: RedisConnection) {
    this.#redis = redis;
    this.#incr = redis.script(INCR);
  }

  get(planId: string, key: string): Promise<Uint8Array | undefined> {
    return this.#redis.client.getBuffer(this.#key(planId, key)).then(orUndefined, getFailed);
  }

  put(planId: string, key: string, value: Uint8Array, ttlMs: number | undefined): Promise<void> {
    const name = this.#key(planId, key);
    const { client } = this.#redis;
    const bytes = asBuffer(value);
    const done = ttlMs === undefined ? client.set(name, bytes) : client.set(name, bytes, 'PX', ttlMs);
    return done.then(nothing, putFailed);
  }

  delete(planId: string, key: string): Promise<void> {
    return this.#redis.client.unlink(this.#key(planId, key)).then(nothing, deleteFailed);
  }

  async incr(planId: string, key: string, by: number, ttlMs: number | undefined): Promise<number> {
    const answer = String(await this.#incr(this.#key(planId, key), by, ttlMs ?? ''));
    if (answer === 'not an integer') throw notAnInteger();
    if (answer === 'out of range') throw outOfRange();
    const value = Number(answer);
    if (!Number.isSafeInteger(value)) throw new IsomorphError('ERR_INTERNAL', 'redis incr: the answer is no integer');
    return value;
  }

  purgePlan(planId: string): Promise<void> {
    return this.#redis.purge('kv', planId);
  }

  close(): Promise<void> {
    return this.#redis.close();
  }

  #key(planId: string, key: string): string {
    return this.#redis.planPrefix('kv', planId) + key;
  }
}

export const redisKv: KvBackend = {
  capabilities: () => CAPABILITIES,
  open: async (url, options) => new RedisKv(await connectRedis(url, options)),
};
