import { isUtf8 } from 'node:buffer';
import { LRUCache } from 'lru-cache';
import { Type } from 'typebox';
import { backoffMs, delay } from '../../../../async/delay.ts';
import { KeyedQueue } from '../../../../async/keyed-queue.ts';
import { IsomorphError } from '../../../../errors/isomorph-error.ts';
import { environmentOf } from '../../../../providers/modal/account.ts';
import { CellChain } from '../../../../providers/modal/cells.ts';
import { ModalDict } from '../../../../providers/modal/dict.ts';
import { newOperationId, objectName } from '../../../../providers/modal/names.ts';
import { recordParser } from '../../../../providers/modal/record.ts';
import { type CallOptions, callOptions, isUnavailable, type ModalSdk } from '../../../../providers/modal/sdk.ts';
import type { KvCapabilities } from '../../../capabilities.ts';
import { addToDecimal } from '../../integer.ts';
import type { KvBackend, KvDriver } from '../../kv.ts';

/** Times are those of the clocks of the clients, in milliseconds: see docs/modal.md. */
const CAPABILITIES: KvCapabilities = { ttl: 'ms', maxValueBytes: 1_048_576, durable: true };

const RecordSchema = Type.Object({
  /** Names this writing of the key; its counter cells are `c:<e>:<n>`. */
  e: Type.String(),
  /** The value as text or base64; neither: the key was made by an incr and holds what the cells say. */
  t: Type.Optional(Type.String()),
  b: Type.Optional(Type.String()),
  /** When the key expires, Unix ms. */
  x: Type.Optional(Type.Number()),
});
const CounterCellSchema = Type.Object({
  o: Type.String(),
  v: Type.Number(),
  x: Type.Optional(Type.Number()),
  /** When it was written, Unix ms. */
  a: Type.Number(),
});
const parseRecord = recordParser(RecordSchema);
const parseCell = recordParser(CounterCellSchema);
type KeyRecord = ReturnType<typeof parseRecord>;
type CounterCell = ReturnType<typeof parseCell>;

interface State {
  readonly value: Uint8Array | undefined;
  readonly expiresMs: number | undefined;
}
interface Head extends State {
  readonly n: number;
  readonly writtenMs: number;
}

const DECIMAL = /^(0|-?[1-9][0-9]*)$/;
const HINT_EVERY = 16;
/** Modal forgets entries that were idle for 7 days: by then the hint must have passed them. */
const HINT_AFTER_MS = 86_400_000;
const KNOWN_HEADS = 10_000;
const KNOWN_DICTS = 1_000;
/** Hardly a pause: it would be the losers alone who pay it. */
const CONTENTION = { baseMs: 1, maxMs: 4, random: Math.random };

const bytesOf = ({ t, b }: KeyRecord): Uint8Array | undefined => {
  if (t !== undefined) return Buffer.from(t, 'utf8');
  return b === undefined ? undefined : Buffer.from(b, 'base64');
};
const now = ({ value, expiresMs }: State): State =>
  expiresMs !== undefined && expiresMs <= Date.now()
    ? { value: undefined, expiresMs: undefined }
    : { value, expiresMs };
const expiry = (ttlMs: number | undefined) => (ttlMs === undefined ? {} : { x: Date.now() + ttlMs });
const headOf = (n: number, { v, x, a }: CounterCell): Head => ({
  n,
  value: Buffer.from(`${v}`),
  expiresMs: x,
  writtenMs: a,
});

/**
 * KV on a Modal Dict a plan. `k:<key>` holds what the last put wrote; what incr makes of it are write-once cells under the
 * name of that put, so that each increment is one compare-and-set (ADR 58).
 */
export class ModalKv implements KvDriver {
  readonly name = 'modal';
  readonly capabilities = CAPABILITIES;
  readonly #sdk: ModalSdk;
  readonly #environment: string;
  readonly #options: CallOptions;
  readonly #dicts = new LRUCache<string, ModalDict>({ max: KNOWN_DICTS });
  /** By the name of the put. A head that others have passed costs one lost attempt. */
  readonly #heads = new LRUCache<string, Head>({ max: KNOWN_HEADS });

  readonly #turns = new KeyedQueue();

  constructor(sdk: ModalSdk, environment: string, options: CallOptions) {
    this.#sdk = sdk;
    this.#environment = environment;
    this.#options = options;
  }

  async get(planId: string, key: string): Promise<Uint8Array | undefined> {
    const dict = this.#dict(planId);
    const record = await this.#record(dict, key);
    if (record === undefined) return undefined;
    const isCounter = record.t === undefined ? record.b === undefined : DECIMAL.test(record.t);
    return now(isCounter ? await this.#head(dict, record) : { value: bytesOf(record), expiresMs: record.x }).value;
  }

  async put(planId: string, key: string, value: Uint8Array, ttlMs: number | undefined): Promise<void> {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    const content = isUtf8(bytes) ? { t: bytes.toString('utf8') } : { b: bytes.toString('base64') };
    await this.#dict(planId).put(`k:${key}`, { e: newOperationId(), ...content, ...expiry(ttlMs) });
  }

  async delete(planId: string, key: string): Promise<void> {
    await this.#dict(planId).pop(`k:${key}`);
  }

  async incr(planId: string, key: string, by: number, ttlMs: number | undefined): Promise<number> {
    const dict = this.#dict(planId);
    const record = (await this.#record(dict, key)) ?? (await this.#makeCounter(dict, key));
    // One at a time of this client: contending with itself would only lose rounds.
    return this.#turns.run(record.e, () => this.#append(dict, record, by, ttlMs));
  }

  async purgePlan(planId: string): Promise<void> {
    await this.#dict(planId).destroy();
  }

  async close(): Promise<void> {
    this.#sdk.close();
  }

  #dict(planId: string): ModalDict {
    const known = this.#dicts.get(planId);
    if (known !== undefined) return known;
    const place = { environment: this.#environment, name: objectName('kv', planId) };
    const dict = new ModalDict(this.#sdk.cpClient, place, this.#options);
    this.#dicts.set(planId, dict);
    return dict;
  }

  #cells(dict: ModalDict, record: KeyRecord): CellChain<CounterCell> {
    return new CellChain(dict, `c:${record.e}:`, parseCell);
  }

  async #record(dict: ModalDict, key: string): Promise<KeyRecord | undefined> {
    const value = await dict.get(`k:${key}`);
    return value === undefined ? undefined : parseRecord(value);
  }

  async #makeCounter(dict: ModalDict, key: string): Promise<KeyRecord> {
    const counter: KeyRecord = { e: newOperationId() };
    if (await dict.putIfAbsent(`k:${key}`, counter)) return counter;
    return (await this.#record(dict, key)) ?? this.#makeCounter(dict, key);
  }

  async #append(dict: ModalDict, record: KeyRecord, by: number, ttlMs: number | undefined): Promise<number> {
    const cells = this.#cells(dict, record);
    const o = newOperationId();
    let head = this.#heads.get(record.e) ?? (await this.#head(dict, record));
    for (let lost = 0; ; lost++) {
      const state = now(head);
      const v = addToDecimal(state.value, by);
      const kept = state.expiresMs === undefined ? {} : { x: state.expiresMs };
      const cell: CounterCell = { o, v, a: Date.now(), ...kept, ...expiry(ttlMs) };
      const n = head.n + 1;
      const created = await cells.create(n, cell);
      if (created.isOurs) {
        await this.#remember(dict, record, headOf(n, cell), head);
        return v;
      }
      if (created.there === undefined) throw new IsomorphError('ERR_UNAVAILABLE', 'the plan was purged meanwhile');
      // Winners go on at once: who follows them cell by cell never catches up.
      head = await this.#headFrom(cells, headOf(n, created.there));
      await delay(backoffMs(lost, CONTENTION));
    }
  }

  /** What the key holds now: the last cell of its record, or the record itself. */
  async #head(dict: ModalDict, record: KeyRecord): Promise<Head> {
    const cells = this.#cells(dict, record);
    const base: Head = { n: 0, value: bytesOf(record), expiresMs: record.x, writtenMs: Date.now() };
    const known = this.#heads.get(record.e) ?? (await this.#hinted(dict, record, cells)) ?? base;
    const head = await this.#headFrom(cells, known);
    this.#heads.set(record.e, head);
    return head;
  }

  async #headFrom(cells: CellChain<CounterCell>, known: Head): Promise<Head> {
    const { n, cell } = await cells.head(known.n);
    return cell === undefined ? known : headOf(n, cell);
  }

  async #hinted(dict: ModalDict, record: KeyRecord, cells: CellChain<CounterCell>): Promise<Head | undefined> {
    const hint = await dict.get(`h:${record.e}`);
    const cell = typeof hint === 'number' ? await cells.read(hint) : undefined;
    return typeof hint === 'number' && cell !== undefined ? headOf(hint, cell) : undefined;
  }

  /** Leaves a hint now and then: where the chain is so far, for clients that do not know it. Losing one costs reads only. */
  async #remember(dict: ModalDict, { e }: KeyRecord, head: Head, previous: Head): Promise<void> {
    this.#heads.set(e, head);
    if (head.n % HINT_EVERY !== 0 && head.writtenMs - previous.writtenMs < HINT_AFTER_MS) return;
    await dict.put(`h:${e}`, head.n).catch((error: unknown) => {
      if (!isUnavailable(error)) throw error;
    });
  }
}

export const modalKv: KvBackend = {
  capabilities: () => CAPABILITIES,
  open: async (url, options) => {
    const environment = environmentOf(url);
    const { ModalClient } = await import('modal');
    const sdk = new ModalClient(environment === '' ? {} : { environment });
    return new ModalKv(sdk, environment, callOptions(options.timeoutMs));
  },
};
