import type { JetStreamPublishOptions } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import { LRUCache } from 'lru-cache';
import pLimit from 'p-limit';
import { backoffMs, delay } from '../../../../async/delay.ts';
import { KeyedQueue } from '../../../../async/keyed-queue.ts';
import { IsomorphError } from '../../../../errors/isomorph-error.ts';
import {
  isConflict,
  isNoMessage,
  type NatsAccess,
  natsAccess,
  orUnavailable,
} from '../../../../providers/nats/scratch.ts';
import { KV_STREAM, kvSubject, kvSubjects } from '../../../../wire/scratch-streams.ts';
import type { KvCapabilities } from '../../../capabilities.ts';
import { addToDecimal } from '../../integer.ts';
import type { KvBackend, KvDriver } from '../../kv.ts';

const CAPABILITIES: KvCapabilities = { ttl: 's', maxValueBytes: 512 * 1024, durable: true };

/** Milliseconds since 1970. The server removes whole seconds late; readers go by this. */
const EXPIRES = 'Isomorph-Expires';
const OPERATION = 'KV-Operation';
const MIN_TTL_S = 1;
/** Within the time limit of an attempt: what ends here has changed nothing, and is known to have not. */
const INCR_GIVE_UP_MS = 8_000;
const INCR_BACKOFF = { baseMs: 2, maxMs: 64, random: Math.random };
const PURGES_AT_ONCE = 64;
const REMEMBERED_COUNTERS = 1_000;

interface Entry {
  /** undefined: the key is absent, whatever the stream holds at `seq`. */
  readonly value: Uint8Array | undefined;
  readonly expiresAtMs: number | undefined;
  /** What compare-and-set expects; 0: the stream holds nothing. */
  readonly seq: number;
}

const ABSENT: Entry = { value: undefined, expiresAtMs: undefined, seq: 0 };

class NatsKv implements KvDriver {
  readonly name = 'nats';
  readonly capabilities = CAPABILITIES;
  readonly #nats: NatsAccess;
  /** One incr of a key at a time in this process: against itself, compare-and-set would only lose. */
  readonly #turns = new KeyedQueue();
  /** What the last incr of a key left; out of date, it costs one conflict. */
  readonly #counters = new LRUCache<string, Entry>({ max: REMEMBERED_COUNTERS });

  constructor(nats: NatsAccess) {
    this.#nats = nats;
  }

  async get(planId: string, key: string): Promise<Uint8Array | undefined> {
    return (await this.#read(kvSubject(planId, key))).value;
  }

  async put(planId: string, key: string, value: Uint8Array, ttlMs: number | undefined): Promise<void> {
    const expiresAtMs = ttlMs === undefined ? undefined : Date.now() + ttlMs;
    await orUnavailable(() => this.#write(kvSubject(planId, key), value, expiresAtMs));
  }

  async delete(planId: string, key: string): Promise<void> {
    await this.#erase(kvSubject(planId, key));
  }

  incr(planId: string, key: string, by: number, ttlMs: number | undefined): Promise<number> {
    const subject = kvSubject(planId, key);
    return this.#turns.run(subject, () => orUnavailable(() => this.#add(subject, by, ttlMs)));
  }

  async purgePlan(planId: string): Promise<void> {
    const filter = `${kvSubjects(planId)}*`;
    const { state } = await orUnavailable(() =>
      this.#nats.manager.streams.info(KV_STREAM, { subjects_filter: filter }),
    );
    const limit = pLimit(PURGES_AT_ONCE);
    await Promise.all(Object.keys(state.subjects ?? {}).map((subject) => limit(() => this.#erase(subject))));
  }

  close(): Promise<void> {
    return this.#nats.release();
  }

  async #add(subject: string, by: number, ttlMs: number | undefined): Promise<number> {
    const deadlineMs = Date.now() + INCR_GIVE_UP_MS;
    const remembered = this.#counters.get(subject);
    this.#counters.delete(subject);
    let entry = remembered ?? (await this.#read(subject));
    for (let attempt = 0; ; attempt++) {
      try {
        const added = await this.#addTo(entry, subject, by, ttlMs);
        this.#counters.set(subject, added.entry);
        return added.sum;
      } catch (error) {
        // What is remembered is no reason to refuse: only what was just read is.
        const isOutOfDate = isConflict(error) || (entry === remembered && error instanceof IsomorphError);
        if (!isOutOfDate) throw error;
        if (Date.now() > deadlineMs) {
          throw new IsomorphError('ERR_UNAVAILABLE', 'too many clients count on one key; nothing was added', {}, error);
        }
        if (attempt > 0) await delay(backoffMs(attempt - 1, INCR_BACKOFF));
        entry = await this.#read(subject);
      }
    }
  }

  async #addTo(entry: Entry, subject: string, by: number, ttlMs: number | undefined) {
    const nowMs = Date.now();
    const current = isPast(entry.expiresAtMs, nowMs) ? ABSENT : entry;
    const expiresAtMs = ttlMs === undefined ? current.expiresAtMs : nowMs + ttlMs;
    const sum = addToDecimal(current.value, by);
    const value = Buffer.from(String(sum));
    const seq = await this.#write(subject, value, expiresAtMs, entry.seq);
    return { sum, entry: { value, expiresAtMs, seq } };
  }

  async #read(subject: string): Promise<Entry> {
    try {
      const message = await this.#nats.manager.streams.getMessage(KV_STREAM, { last_by_subj: subject });
      if (message === null) return ABSENT;
      const { header, seq, data } = message;
      const expires = header?.get(EXPIRES) ?? '';
      const expiresAtMs = expires === '' ? undefined : Number(expires);
      const isGone = header?.get(OPERATION) === 'DEL' || isPast(expiresAtMs, Date.now());
      return isGone ? { ...ABSENT, seq } : { value: data, expiresAtMs, seq };
    } catch (error) {
      if (isNoMessage(error)) return ABSENT;
      return orUnavailable(() => Promise.reject(error));
    }
  }

  /** A mark that removes the value at once, and goes by itself. */
  async #erase(subject: string): Promise<void> {
    const marks = headers();
    marks.set(OPERATION, 'DEL');
    await orUnavailable(() => this.#nats.stream.publish(subject, '', { headers: marks, ttl: '1s' }));
  }

  async #write(subject: string, value: Uint8Array, expiresAtMs?: number, expectedSeq?: number): Promise<number> {
    const options: Partial<JetStreamPublishOptions> = {};
    if (expiresAtMs !== undefined) {
      const marks = headers();
      marks.set(EXPIRES, String(expiresAtMs));
      const ttlS = Math.max(MIN_TTL_S, Math.ceil((expiresAtMs - Date.now()) / 1_000));
      Object.assign(options, { headers: marks, ttl: `${ttlS}s` });
    }
    if (expectedSeq !== undefined) options.expect = { lastSubjectSequence: expectedSeq };
    return (await this.#nats.stream.publish(subject, value, options)).seq;
  }
}

const isPast = (timeMs: number | undefined, nowMs: number): boolean => timeMs !== undefined && timeMs <= nowMs;

export const natsKv: KvBackend = {
  capabilities: () => CAPABILITIES,
  open: async (url, options) => new NatsKv(await natsAccess(url, options)),
};
