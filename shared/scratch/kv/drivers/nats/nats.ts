import type { JetStreamPublishOptions } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import { headers } from '@nats-io/transport-node';
import { LRUCache } from 'lru-cache';
import pLimit from 'p-limit';
import { backoffMs, delay } from '../../../../async/delay.ts';
import { KeyedQueue } from '../../../../async/keyed-queue.ts';
import { IsomorphError } from '../../../../errors/isomorph-error.ts';
import { isConflict, isStreamFull } from '../../../../nats/missing.ts';
import { AskedClock } from '../../../../providers/nats/asked-clock.ts';
import type { Room } from '../../../../providers/nats/room.ts';
import { type NatsAccess, natsAccess, orUnavailable } from '../../../../providers/nats/scratch.ts';
import { KV_BUCKET, KV_MARKER_TTL_S, KV_STREAM, kvKey, kvSubject, kvSubjectsOf } from '../../../../wire/scratch-kv.ts';
import type { KvCapabilities } from '../../../capabilities.ts';
import { addToDecimal } from '../../integer.ts';
import type { KvBackend, KvDriver } from '../../kv.ts';
import { ABSENT, type Entry, EXPIRES, entryOf, OPERATION } from './entry.ts';
import { roomOfBucket } from './room.ts';

const CAPABILITIES: KvCapabilities = { ttl: 's', maxValueBytes: 512 * 1024, durable: true };

const MIN_TTL_S = 1;
/** Within the time limit of an attempt: what ends here has changed nothing, and is known to have not. */
const INCR_GIVE_UP_MS = 8_000;
const INCR_BACKOFF = { baseMs: 2, maxMs: 64, random: Math.random };
const PURGES_AT_ONCE = 64;
const REMEMBERED_COUNTERS = 1_000;
/** As decimal text. */
const LONGEST_COUNTER_BYTES = 17;

/** The bucket by `@nats-io/kv`; by JetStream itself where that shows or takes no headers, which times to live are. */
class NatsKv implements KvDriver {
  readonly name = 'nats';
  readonly capabilities = CAPABILITIES;
  readonly #nats: NatsAccess;
  readonly #bucket: KV;
  readonly #clock: AskedClock;
  readonly #room: Room;
  /** One incr of a key at a time in this process: against itself, compare-and-set would only lose. */
  readonly #turns = new KeyedQueue();
  /** What the last incr of a key left; out of date, it costs one conflict. */
  readonly #counters = new LRUCache<string, Entry>({ max: REMEMBERED_COUNTERS });

  constructor(nats: NatsAccess, bucket: KV) {
    this.#nats = nats;
    this.#bucket = bucket;
    this.#clock = new AskedClock(nats.manager, KV_STREAM);
    this.#room = roomOfBucket(nats);
  }

  async get(planId: string, key: string): Promise<Uint8Array | undefined> {
    return (await orUnavailable(() => this.#read(kvKey(planId, key)))).value;
  }

  async put(planId: string, key: string, value: Uint8Array, ttlMs: number | undefined): Promise<void> {
    const at = kvKey(planId, key);
    await orUnavailable(async () => {
      await this.#takeRoom(at, value.byteLength);
      if (ttlMs === undefined) await this.#bucket.put(at, value);
      else await this.#publish(kvSubject(at), value, { ttl: ttl(ttlMs) });
    });
  }

  /** The mark goes by itself, and what it leaves is the server's own, which does too. */
  async delete(planId: string, key: string): Promise<void> {
    const at = kvKey(planId, key);
    await orUnavailable(async () => {
      try {
        await this.#erase(kvSubject(at), KV_MARKER_TTL_S);
      } catch (error) {
        // A full stream takes no trace of what is not there, which needs none.
        if (!isStreamFull(error) || (await this.#read(at)).value !== undefined) throw error;
      }
    });
  }

  incr(planId: string, key: string, by: number, ttlMs: number | undefined): Promise<number> {
    const at = kvKey(planId, key);
    return this.#turns.run(at, () => orUnavailable(() => this.#add(at, by, ttlMs)));
  }

  /**
   * By subjects, since some of them may be no keys: whoever may publish may have written them. By marks whose end the server
   * marks in turn: where a mark of `PURGE` has gone, a server that is killed has the value again.
   */
  async purgePlan(planId: string): Promise<void> {
    const filter = { subjects_filter: kvSubjectsOf(planId) };
    const { state } = await orUnavailable(() => this.#nats.manager.streams.info(KV_STREAM, filter));
    const limit = pLimit(PURGES_AT_ONCE);
    const subjects = Object.keys(state.subjects ?? {});
    const erase = (subject: string) => orUnavailable(() => this.#erase(subject, MIN_TTL_S));
    await Promise.all(subjects.map((subject) => limit(() => erase(subject))));
  }

  close(): Promise<void> {
    return this.#nats.release();
  }

  async #add(at: string, by: number, ttlMs: number | undefined): Promise<number> {
    const deadlineMs = Date.now() + INCR_GIVE_UP_MS;
    const remembered = this.#counters.get(at);
    this.#counters.delete(at);
    let entry = remembered ?? (await this.#read(at));
    for (let attempt = 0; ; attempt++) {
      try {
        const added = await this.#addTo(entry, at, by, ttlMs);
        this.#counters.set(at, added.entry);
        return added.sum;
      } catch (error) {
        // What is remembered is no reason to refuse: only what was just read is.
        const isOutOfDate = isConflict(error) || (entry === remembered && error instanceof IsomorphError);
        if (!isOutOfDate) throw error;
        if (Date.now() > deadlineMs) {
          throw new IsomorphError('ERR_UNAVAILABLE', 'too many clients count on one key; nothing was added', {}, error);
        }
        if (attempt > 0) await delay(backoffMs(attempt - 1, INCR_BACKOFF));
        entry = await this.#read(at);
      }
    }
  }

  async #addTo(entry: Entry, at: string, by: number, ttlMs: number | undefined) {
    const current = await this.#unlessPast(entry);
    const sum = addToDecimal(current.value, by);
    // A counter that is there grows by some digits at most.
    if (current.value === undefined) await this.#room.take(KV_STREAM, LONGEST_COUNTER_BYTES);
    const value = Buffer.from(String(sum));
    const expiresAtMs = ttlMs === undefined ? current.expiresAtMs : (await this.#clock.nowMs()) + ttlMs;
    const revision = await this.#update(at, value, entry.revision, expiresAtMs);
    return { sum, entry: { value, expiresAtMs, revision } };
  }

  /** Compare-and-set. An instant and not the time to live alone: rounded up to seconds each time, it would never end. */
  async #update(at: string, value: Uint8Array, revision: number, expiresAtMs: number | undefined): Promise<number> {
    if (expiresAtMs === undefined) return this.#bucket.put(at, value, { previousSeq: revision });
    const marks = headers();
    marks.set(EXPIRES, String(expiresAtMs));
    return this.#publish(kvSubject(at), value, {
      headers: marks,
      ttl: ttl(expiresAtMs - (await this.#clock.nowMs())),
      expect: { lastSubjectSequence: revision },
    });
  }

  /** What is no longer than what it replaces needs no room. @throws ERR_LIMIT */
  async #takeRoom(at: string, bytes: number): Promise<void> {
    try {
      await this.#room.take(KV_STREAM, bytes);
    } catch (error) {
      if (!(error instanceof IsomorphError) || error.code !== 'ERR_LIMIT') throw error;
      const { value: before } = await this.#read(at);
      if (before === undefined || before.byteLength < bytes) throw error;
    }
  }

  async #read(at: string): Promise<Entry> {
    const message = await this.#nats.manager.streams.getMessage(KV_STREAM, { last_by_subj: kvSubject(at) });
    return message === null ? ABSENT : this.#unlessPast(entryOf(message));
  }

  /** The server removes a little late. */
  async #unlessPast(entry: Entry): Promise<Entry> {
    const { expiresAtMs, revision } = entry;
    if (expiresAtMs === undefined || expiresAtMs > (await this.#clock.nowMs())) return entry;
    return { ...ABSENT, revision };
  }

  async #erase(subject: string, ttlS: number): Promise<void> {
    const marks = headers();
    marks.set(OPERATION, 'DEL');
    await this.#publish(subject, '', { headers: marks, ttl: `${ttlS}s` });
    this.#room.freed(KV_STREAM);
  }

  async #publish(
    subject: string,
    value: Uint8Array | string,
    options: Partial<JetStreamPublishOptions>,
  ): Promise<number> {
    return (await this.#nats.stream.publish(subject, value, options)).seq;
  }
}

/** Whole seconds, rounded up. */
const ttl = (ttlMs: number): string => `${Math.max(MIN_TTL_S, Math.ceil(ttlMs / 1_000))}s`;

export const natsKv: KvBackend = {
  capabilities: () => CAPABILITIES,
  open: async (url, options) => {
    const nats = await natsAccess(url, options);
    return new NatsKv(nats, await new Kvm(nats.stream).open(KV_BUCKET, { allow_direct: false }));
  },
};
