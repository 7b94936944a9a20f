import type { NatsConnection } from '@nats-io/transport-node';
import { LRUCache } from 'lru-cache';
import { backoffMs, delay } from '../async/delay.ts';
import { KeyedQueue } from '../async/keyed-queue.ts';
import { IsomorphError, unreachable } from '../errors/isomorph-error.ts';
import { encodeCommit, seal } from '../ledger/chain.ts';
import type { CommandArgument, Decider, Decision } from '../ledger/decider.ts';
import type { RawEvent } from '../ledger/envelope.ts';
import type { LedgerEvent, LedgerWriter } from '../ledger/events.ts';
import { evolve } from '../ledger/evolve.ts';
import { readMeaning } from '../ledger/meaning.ts';
import { KNOWN } from '../ledger/reading.ts';
import { entriesOf, type PlanState } from '../ledger/state.ts';
import { isConflictCode } from '../nats/missing.ts';
import { readStream, type StoredMessage } from '../nats/read.ts';
import { publisherOn } from '../nats/stream-publisher.ts';
import { commitSubject, LEDGER_STREAM, planSubjects } from '../wire/ledger.ts';
import { checkStanding } from './check-standing.ts';
import { PlanCache } from './plan-cache.ts';
import {
  type Advance,
  advance,
  commitOf,
  type ForeignMessage,
  type MessageWithCommit,
  nothingOf,
  type Snapshot,
} from './snapshot.ts';

export interface Appended<Outcome extends Decision = Decision> extends Snapshot {
  /** What was decided: on `state` when nothing was written, else on the state that `events` follow. */
  readonly decision: Outcome;
  /** What this call wrote; empty when the decision was that nothing is to be done. */
  readonly events: readonly LedgerEvent[];
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

const CACHED_PLANS = 2_000;
const CACHED_ENTRIES = 200_000;
const MAX_ROUNDS = 64;
/** Events of own commits that are kept until a consumer shows them: of many it shows none, since another copy follows too. */
const KEPT_EVENTS = 200;
/** A commit may be lost on its way once. A server that stays silent again and can be read cannot write; the caller tells of it and tries later. */
const MAX_SILENCES = 2;

type Publication = { readonly kind: 'stored'; readonly seq: number } | { readonly kind: 'conflict' | 'unknown' };

/**
 * Reads and appends chains of plans on the LEDGER stream. Every writer of the ledger appends through
 * {@link Journal.append}: a replicated stream guards compare-and-set only among writers that all use it.
 */
export class Journal {
  readonly #connection: NatsConnection;
  readonly #by: LedgerWriter | undefined;
  readonly #nowMs: () => number;
  readonly #random: () => number;
  readonly #onForeign: (message: ForeignMessage) => void;
  readonly #cache = new PlanCache<Snapshot>({
    max: CACHED_PLANS,
    maxSize: CACHED_ENTRIES,
    sizeOf: ({ state }) => entriesOf(state),
    stateOf: ({ state }) => state,
  });
  /** By the sequence of their message: what this instance wrote itself needs no second reading. */
  readonly #written = new LRUCache<number, readonly LedgerEvent[]>({
    maxSize: KEPT_EVENTS,
    sizeCalculation: (events) => events.length,
  });
  readonly #queue = new KeyedQueue();

  constructor(options: JournalOptions) {
    this.#connection = options.connection;
    this.#by = options.by;
    this.#nowMs = options.nowMs ?? Date.now;
    this.#random = options.random ?? Math.random;
    this.#onForeign = options.onForeign ?? (() => undefined);
  }

  /**
   * The plan as of stream sequence `atLeast` or later, for whoever acts on it. Without `atLeast` it may be behind by what
   * others wrote meanwhile; an append then meets a conflict and decides again.
   * @throws ERR_VERSION, ERR_QUARANTINED as {@link checkStanding}; ERR_UNAVAILABLE when it cannot be read
   */
  async load(planId: string, atLeast = 0): Promise<Snapshot> {
    const snapshot = await this.read(planId, atLeast);
    checkStanding(planId, snapshot.standing);
    return snapshot;
  }

  /**
   * The same whatever its standing: `state` is as far as the chain is known and legal.
   * @throws ERR_UNAVAILABLE when it cannot be read
   */
  async read(planId: string, atLeast = 0): Promise<Snapshot> {
    const cached = this.#cache.get(planId);
    if (cached !== undefined && cached.lastSeq >= atLeast) return cached;
    return this.#queue.run(planId, () => this.#refresh(planId));
  }

  /** Whose a plan is, as of now; undefined where the ledger has none of this id. @throws ERR_UNAVAILABLE */
  async principalOf(planId: string | undefined): Promise<string | undefined> {
    if (planId === undefined) return undefined;
    const known = this.#cache.get(planId)?.state;
    // An admitted plan keeps its id: only an id that is free, or may be given back, is asked for anew.
    const isTaken = known?.phase === 'admitted' || known?.phase === 'settled';
    const { submitted } = isTaken ? known : (await this.read(planId, Number.POSITIVE_INFINITY)).state;
    return submitted?.principal;
  }

  /**
   * The plan for whoever acts on message `seq`, which was delivered before: what was shown meanwhile may have passed over
   * it. `foreign` then says whether it is in the chain.
   * @throws as {@link load}
   */
  async loadAgain(planId: string, seq: number): Promise<Snapshot> {
    const known = await this.load(planId, seq);
    if (known.readTo >= seq) return known;
    const snapshot = await this.#queue.run(planId, () => this.#readAnew(planId, known.foreign));
    checkStanding(planId, snapshot.standing);
    return snapshot;
  }

  /**
   * Takes a ledger message that a consumer delivered into account, so that following a plan needs no reads.
   * A message that is not the next one of its plan changes nothing: {@link load} will read the gap.
   * @returns those of its events that are known; undefined when it is no event of the plan. Whether it is in the chain
   * at all, and legal there, the snapshot says.
   */
  observe(planId: string, message: StoredMessage): readonly LedgerEvent[] | undefined {
    const own = this.#written.get(message.seq);
    if (own !== undefined) {
      // Mostly it is shown once; a second time it is read like any other.
      this.#written.delete(message.seq);
      return own;
    }
    const commit = commitOf(planId, message);
    if (commit instanceof IsomorphError) return undefined;
    const snapshot = this.#cache.get(planId) ?? nothingOf(planId);
    if (message.seq > snapshot.lastSeq && commit[0]?.prev_hash === snapshot.head.hash) {
      const shown = advance(snapshot, [{ message, commit }]);
      this.#tell(shown, snapshot.foreign);
      this.#cache.set(planId, { ...shown.snapshot, readTo: snapshot.readTo });
      if (shown.snapshot.standing.kind === 'known') return shown.events;
    }
    return commit.flatMap((raw) => {
      const meaning = readMeaning(raw);
      return meaning.kind === 'event' ? meaning.event : [];
    });
  }

  /**
   * Appends what a rule decides on the current state, as one atomic commit. The rule must be pure: it is asked
   * again whenever another writer was first, and once more after an append whose outcome was unknown.
   * @returns the decision that counts, with what it wrote
   * @throws ERR_VERSION, ERR_QUARANTINED when the plan gets no event from this version, ERR_COMMIT_INVALID for an illegal
   * commit, ERR_TOO_LARGE beyond the limits, ERR_APPEND_CONTENDED after 64 lost races, ERR_UNAVAILABLE when the ledger
   * cannot be reached.
   */
  append<Command, Outcome extends Decision>(
    planId: string,
    decide: Decider<Command, Outcome>,
    ...command: CommandArgument<Command>
  ): Promise<Appended<Outcome>> {
    return this.#queue.run(planId, () => this.#append(planId, (state) => decide(state, command[0] as Command)));
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
    let silences = 0;
    for (let round = 0; round < MAX_ROUNDS; round++) {
      checkStanding(planId, snapshot.standing);
      const decision = decide(snapshot.state);
      if (decision.drafts.length === 0) return { ...snapshot, decision, events: [] };
      const events = seal(snapshot.head, decision.drafts, { planId, by, nowMs: this.#nowMs() });
      const state = evolve(snapshot.state, events);
      const publication = await this.#publish(planId, events, snapshot.lastSeq);
      if (publication.kind === 'stored') {
        const { seq } = publication;
        const readTo = snapshot.readTo === snapshot.lastSeq ? seq : snapshot.readTo;
        const stored = { ...snapshot, state, head: state.head, standing: KNOWN, lastSeq: seq, readTo };
        this.#cache.set(planId, stored);
        this.#written.set(seq, events);
        return { ...stored, decision, events };
      }
      if (round > 0) await delay(backoffMs(round, { baseMs: 2, maxMs: 200, random: this.#random }));
      const written: RawEvent[] = [];
      // From what the decision was made on, not from the cache: a consumer may have shown us our own commit meanwhile.
      snapshot = await this.#readFrom(planId, snapshot, written);
      // Not after a conflict: another writer may have decided the same in the same millisecond, to the same bytes.
      if (publication.kind === 'unknown') unconfirmed.set(events.at(-1)?.this_hash ?? '', { decision, events });
      const ours = written.flatMap(({ this_hash: hash }) => unconfirmed.get(hash) ?? []).at(-1);
      if (ours !== undefined) return { ...snapshot, ...ours };
      silences = publication.kind === 'unknown' ? silences + 1 : 0;
      if (silences >= MAX_SILENCES) {
        const why = 'it can be read, but confirms no commit: its disk may be full';
        throw new IsomorphError('ERR_UNAVAILABLE', `the ledger does not answer: ${why}`);
      }
    }
    throw new IsomorphError('ERR_APPEND_CONTENDED', `${planId}: lost ${MAX_ROUNDS} races`);
  }

  async #publish(planId: string, events: readonly LedgerEvent[], lastSeq: number): Promise<Publication> {
    const last = events.at(-1);
    if (last === undefined) throw new IsomorphError('ERR_INTERNAL', 'an empty commit');
    const answer = await publisherOn(this.#connection).publish(commitSubject(last), encodeCommit(events), {
      'Nats-Msg-Id': last.this_hash,
      'Nats-Expected-Last-Subject-Sequence': `${lastSeq}`,
      'Nats-Expected-Last-Subject-Sequence-Subject': planSubjects(planId),
    });
    switch (answer.kind) {
      case 'stored':
        // The same bytes of another writer, or our own that came late: what is known by its hash the reading will tell.
        return answer.duplicate ? { kind: 'conflict' } : { kind: 'stored', seq: answer.seq };
      case 'silent':
        return { kind: 'unknown' };
      case 'refused':
        if (isConflictCode(answer.code)) return { kind: 'conflict' };
        throw new IsomorphError('ERR_UNAVAILABLE', `the ledger refused a commit: ${answer.description}`);
      default:
        return unreachable(answer);
    }
  }

  #refresh(planId: string): Promise<Snapshot> {
    return this.#readFrom(planId, this.#cache.get(planId) ?? nothingOf(planId));
  }

  /** Reads what the stream holds behind `known`; collects the events of the chain into `seen`. */
  async #readFrom(planId: string, known: Snapshot, seen: RawEvent[] = []): Promise<Snapshot> {
    const read = advance(known, await this.#messagesBehind(planId, known.lastSeq));
    // Of two events that link to the same one, others may have taken the first, and this instance was shown the second alone.
    if (read.passedOver.length > 0 && known.readTo < known.lastSeq) return this.#readAnew(planId, known.foreign, seen);
    return this.#keep(planId, read, known.foreign, seen);
  }

  /** Reads the plan from its beginning. @param told messages that were told to be none of its chain */
  async #readAnew(planId: string, told: ReadonlySet<number>, seen: RawEvent[] = []): Promise<Snapshot> {
    const read = advance(nothingOf(planId), await this.#messagesBehind(planId, 0));
    return this.#keep(planId, read, told, seen);
  }

  async #messagesBehind(planId: string, seq: number): Promise<MessageWithCommit[]> {
    const place = { stream: LEDGER_STREAM, filter: planSubjects(planId), fromSeq: seq + 1 };
    const messages: MessageWithCommit[] = [];
    // Each is decoded while the next are on their way.
    for await (const message of readStream(this.#connection, place)) {
      const { subject, seq: at } = message;
      messages.push({ message: { subject, seq: at }, commit: commitOf(planId, message) });
    }
    return messages;
  }

  #keep(planId: string, read: Advance, told: ReadonlySet<number>, seen: RawEvent[]): Snapshot {
    const { snapshot, linked } = read;
    this.#tell(read, told);
    seen.push(...linked);
    const { lastSeq = 0, readTo = 0 } = this.#cache.get(planId) ?? {};
    if (lastSeq < snapshot.lastSeq || (lastSeq === snapshot.lastSeq && readTo < snapshot.readTo)) {
      this.#cache.set(planId, snapshot);
    }
    return snapshot;
  }

  #tell({ passedOver }: Advance, told: ReadonlySet<number>): void {
    for (const message of passedOver) if (!told.has(message.seq)) this.#onForeign(message);
  }
}
