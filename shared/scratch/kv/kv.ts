import type { KvCapabilities } from '../capabilities.ts';
import type { TellName } from '../names.ts';
import type { ScratchOptions } from '../options.ts';

/**
 * KV, the scratch of a plan: ephemeral, never in the World. This comment is the contract that `portable-kv.ts` and the
 * drivers keep together and `test/scratch/kv-conformance.ts` tests.
 *
 * - A key is any Unicode text of 1 to 512 bytes of UTF-8 without lone surrogates; two keys are the same when their text
 *   is. Plans never see each other's keys.
 * - Read your writes on one client; the last put wins; no order across clients.
 * - Values are bytes. With `ttlS` (a positive number; whole seconds unless the backend's `ttl` is `ms`) the key is
 *   absent after that time, never a marker; a put without `ttlS` makes it stay.
 * - `incr` is atomic under contention, creates from 0, and answers the new value. With `ttlS` it sets the time to live,
 *   without it keeps the one there is. It refuses a value that is no decimal integer (ERR_SCHEMA), and a result
 *   beyond ±(2^53 − 1) (ERR_RANGE), leaving the value as it was. Its values read as decimal text.
 * - Errors: ERR_SCHEMA (key, value, ttl), ERR_TOO_LARGE, ERR_UNIMPLEMENTED, ERR_UNAVAILABLE. Operations that are safe to
 *   repeat (all but incr) are repeated on passing faults before ERR_UNAVAILABLE is thrown.
 */
export interface Kv {
  readonly driver: string;
  readonly capabilities: KvCapabilities;
  get(request: { readonly planId: string; readonly key: string }): Promise<Uint8Array | undefined>;
  put(request: {
    readonly planId: string;
    readonly key: string;
    readonly value: Uint8Array;
    readonly ttlS?: number;
    /** How the audit fact tells the key; without it the fact does not. */
    readonly tell?: TellName;
  }): Promise<void>;
  delete(request: { readonly planId: string; readonly key: string; readonly tell?: TellName }): Promise<void>;
  incr(request: {
    readonly planId: string;
    readonly key: string;
    /** An integer; 1 when absent. */
    readonly by?: number;
    readonly ttlS?: number;
    readonly tell?: TellName;
  }): Promise<number>;
  /** Removes every key of the plan. */
  purgePlan(request: { readonly planId: string }): Promise<void>;
  close(): Promise<void>;
}

/**
 * What a backend writes: the least that differs. Plan ids and keys are checked before; `ttlMs` is a whole number of the
 * backend's unit. A driver does not retry, emits no facts, and throws IsomorphError only: ERR_UNAVAILABLE for passing
 * faults, ERR_SCHEMA and ERR_RANGE as `Kv.incr` says.
 */
export interface KvDriver {
  readonly name: string;
  /** Its calls end by themselves, with no server behind them: they need no time limit. */
  readonly isInProcess?: boolean;
  readonly capabilities: KvCapabilities;
  get(planId: string, key: string): Promise<Uint8Array | undefined>;
  put(planId: string, key: string, value: Uint8Array, ttlMs: number | undefined): Promise<void>;
  delete(planId: string, key: string): Promise<void>;
  incr(planId: string, key: string, by: number, ttlMs: number | undefined): Promise<number>;
  purgePlan(planId: string): Promise<void>;
  close(): Promise<void>;
}

/** What a driver file exports. */
export interface KvBackend {
  /** What a backend at this URL can do, without a connection: for admission, `doctor` and the docs. */
  capabilities(url: URL): KvCapabilities;
  /** @throws ERR_CONFIG for an unusable URL, ERR_UNAVAILABLE when the backend cannot be reached. */
  open(url: URL, options: ScratchOptions): Promise<KvDriver>;
}
