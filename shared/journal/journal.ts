import { JetStreamApiError, type JetStreamClient, jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { LRUCache } from 'lru-cache';
import { backoffMs, delay } from '../async/delay.ts';
import { KeyedQueue } from '../async/keyed-queue.ts';
import { IsomorphError } from '../errors/isomorph-error.ts';
import { checkLink, encodeCommit, headOf, seal } from '../ledger/chain.ts';
import type { Decision } from '../ledger/decider.ts';
import type { LedgerEvent, LedgerWriter } from '../ledger/events.ts';
import { evolve } from '../ledger/evolve.ts';
import { understood } from '../ledger/meaning.ts';
import { emptyState, type PlanState } from '../ledger/state.ts';
import { readStream, type StoredMessage } from '../nats/read.ts';
import { commitSubject, decodeCommit, LEDGER_STREAM, planSubjects } from '../wire/ledger.ts';

/** A plan as far as it has been read. */
export interface Snapshot {
  readonly state: PlanState;
  /** Stream sequence of the last message of the plan's subtree, whatever it holds; 0 for an empty subtree. */
  readonly lastSeq: number;
}

export interface Appended<Outcome extends Decision = Decision> extends Snapshot {
  /** What was decided: on `state` when nothing was written, else on the state that `events` follow. */
  readonly decision: Outcome;
  /** What this call wrote; empty when the decision was that nothing is to be done. */
  readonly events: readonly LedgerEvent[];
}

/** A message under `ledger.` that is no event of its plan. Readers skip it and tell. */
export interface ForeignMessage {
  readonly subject: string;
  readonly seq: number;
  readonly reason: string;
}

export interface JournalOptions {
  readonly connection: NatsConnection;
  /** Who writes; undefined for a reader. */
  readonly by: LedgerWriter | undefined;
  readonly nowMs?: () => number;
  readonly random?: () => number;
  /** Called once for every foreign message met. */
  readonly onForeign?: (message: ForeignMessage) => void;
}

/** JetStream API errors: the expected last sequence (of the stream, of the subject) is not the actual one. */
const WRONG_LAST_SEQUENCE: ReadonlySet<number> = new Set([10071, 10164]);

const CACHED_PLANS = 2_000;
const MAX_ROUNDS = 64;
const PUBLISH_TIMEOUT_MS = 5_000;

type Publication = { readonly kind: 'stored'; readonly seq: number } | { readonly kind: 'conflict' | 'unknown' };

/**
 * Reads and appends chains of plans on the LEDGER stream. Every writer of the ledger appends through
 * {@link Journal.append}: a replicated stream guards compare-and-set only among writers that all use it.
 */
export class Journal {
  readonly #connection: NatsConnection;
  readonly #jetstream: JetStreamClient;
  readonly #by: LedgerWriter | undefined;
  readonly #nowMs: () => number;
  readonly #random: () => number;
  readonly #onForeign: (message: ForeignMessage) => void;
  readonly #cache = new LRUCache<string, Snapshot>({ max: CACHED_PLANS });
  readonly #queue = new KeyedQueue();

  constructor(options: JournalOptions) {
    this.#connection = options.connection;
    this.#jetstream = jetstream(options.connection, { timeout: PUBLISH_TIMEOUT_MS });
    this.#by = options.by;
    this.#nowMs = options.nowMs ?? Date.now;
    this.#random = options.random ?? Math.random;
    this.#onForeign = options.onForeign ?? (() => undefined);
  }

  /**
   * The plan as of stream sequence `atLeast` or later. Without `atLeast` it may be behind by what others wrote
   * meanwhile; an append then meets a conflict and decides again.
   * @throws ERR_CHAIN_BROKEN when the stored chain does not verify, ERR_UNAVAILABLE when it cannot be read.
   */
  async load(planId: string, atLeast = 0): Promise<Snapshot> {
    const cached = this.#cache.get(planId);
    if (cached !== undefined && cached.lastSeq >= atLeast) return cached;
    return this.#queue.run(planId, () => this.#refresh(planId));
  }

  /**
   * Takes a ledger message that a consumer delivered into account, so that following a plan needs no reads.
   * A message that is not the next one of its plan changes nothing: {@link load} will read the gap.
   * @returns its events; undefined when it is no event of the plan
   */
  observe(planId: string, message: StoredMessage): readonly LedgerEvent[] | undefined {
    const events = this.#decode(planId, message);
    if (events === undefined) return undefined;
    const snapshot = this.#cache.get(planId) ?? { state: emptyState(planId), lastSeq: 0 };
    if (message.seq > snapshot.lastSeq && events[0]?.seq === snapshot.state.head.seq + 1) {
      this.#cache.set(planId, { state: advance(snapshot.state, events), lastSeq: message.seq });
    }
    return events;
  }

  /**
   * Appends what `decide` returns for the current state, as one atomic commit. `decide` must be pure: it is called
   * again whenever another writer was first, and once more after an append whose outcome was unknown.
   * @returns the decision that counts, with what it wrote
   * @throws ERR_COMMIT_INVALID for an illegal commit, ERR_TOO_LARGE beyond the limits, ERR_APPEND_CONTENDED after
   * 64 lost races, ERR_UNAVAILABLE when the ledger cannot be reached.
   */
  append<Outcome extends Decision>(planId: string, decide: (state: PlanState) => Outcome): Promise<Appended<Outcome>> {
    return this.#queue.run(planId, () => this.#append(planId, decide));
  }

  async #append<Outcome extends Decision>(
    planId: string,
    decide: (state: PlanState) => Outcome,
  ): Promise<Appended<Outcome>> {
    const by = this.#by;
    if (by === undefined) throw new IsomorphError('ERR_INTERNAL', 'this journal is opened for reading');
    let snapshot = this.#cache.get(planId) ?? (await this.#refresh(planId));
    // What may have been stored though nobody said so: a publish can outlive its connection and come late.
    const unconfirmed = new Map<string, Pick<Appended<Outcome>, 'decision' | 'events'>>();
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const decision = decide(snapshot.state);
      if (decision.drafts.length === 0) return { ...snapshot, decision, events: [] };
      const events = seal(snapshot.state.head, decision.drafts, { planId, by, nowMs: this.#nowMs() });
      const state = evolve(snapshot.state, events);
      const publication = await this.#publish(planId, events, snapshot.lastSeq);
      if (publication.kind === 'stored') {
        const stored = { state, lastSeq: publication.seq };
        this.#cache.set(planId, stored);
        return { ...stored, decision, events };
      }
      if (round > 0) await delay(backoffMs(round, { baseMs: 2, maxMs: 200, random: this.#random }));
      const written: LedgerEvent[] = [];
      // From what the decision was made on, not from the cache: a consumer may have shown us our own commit meanwhile.
      snapshot = await this.#readFrom(planId, snapshot, written);
      // Not after a conflict: another writer may have decided the same in the same millisecond, to the same bytes.
      if (publication.kind === 'unknown') unconfirmed.set(events.at(-1)?.this_hash ?? '', { decision, events });
      const ours = written.flatMap(({ this_hash: hash }) => unconfirmed.get(hash) ?? []).at(-1);
      if (ours !== undefined) return { ...snapshot, ...ours };
    }
    throw new IsomorphError('ERR_APPEND_CONTENDED', `${planId}: lost ${MAX_ROUNDS} races`);
  }

  async #publish(planId: string, events: readonly LedgerEvent[], lastSeq: number): Promise<Publication> {
    const last = events.at(-1);
    if (last === undefined) throw new IsomorphError('ERR_INTERNAL', 'an empty commit');
    const commit = encodeCommit(events);
    try {
      const ack = await this.#jetstream.publish(commitSubject(last), commit, {
        msgID: last.this_hash,
        expect: { lastSubjectSequence: lastSeq, lastSubjectSequenceSubject: planSubjects(planId) },
      });
      return { kind: 'stored', seq: ack.seq };
    } catch (error) {
      if (!(error instanceof JetStreamApiError)) return { kind: 'unknown' };
      if (WRONG_LAST_SEQUENCE.has(error.code)) return { kind: 'conflict' };
      throw new IsomorphError('ERR_UNAVAILABLE', `the ledger refused a commit: ${error.message}`, {}, error);
    }
  }

  #refresh(planId: string): Promise<Snapshot> {
    return this.#readFrom(planId, this.#cache.get(planId) ?? { state: emptyState(planId), lastSeq: 0 });
  }

  /** Reads what the stream holds behind `known`; collects the new events into `seen`. */
  async #readFrom(planId: string, known: Snapshot, seen: LedgerEvent[] = []): Promise<Snapshot> {
    const fresh: LedgerEvent[] = [];
    let { lastSeq } = known;
    const messages = readStream(this.#connection, {
      stream: LEDGER_STREAM,
      filter: planSubjects(planId),
      fromSeq: lastSeq + 1,
    });
    for await (const message of messages) {
      fresh.push(...(this.#decode(planId, message) ?? []));
      lastSeq = message.seq;
    }
    seen.push(...fresh);
    const snapshot = { state: advance(known.state, fresh), lastSeq };
    if ((this.#cache.get(planId)?.lastSeq ?? 0) < lastSeq) this.#cache.set(planId, snapshot);
    return snapshot;
  }

  #decode(planId: string, message: StoredMessage): LedgerEvent[] | undefined {
    try {
      const events = decodeCommit(message.data, message.subject).map(({ raw }) => understood(raw));
      if (events[0]?.plan_id !== planId) throw new IsomorphError('ERR_NOT_AN_EVENT', 'an event of another plan');
      return events;
    } catch (error) {
      if (!(error instanceof IsomorphError) || error.code !== 'ERR_NOT_AN_EVENT') throw error;
      this.#onForeign({ subject: message.subject, seq: message.seq, reason: error.message });
      return undefined;
    }
  }
}

/** The state after events that must link to it. */
function advance(state: PlanState, events: readonly LedgerEvent[]): PlanState {
  if (events.length === 0) return state;
  let { head } = state;
  for (const event of events) {
    checkLink(head, event);
    head = headOf(event);
  }
  return evolve(state, events);
}
