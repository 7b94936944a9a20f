import type { NatsConnection } from '@nats-io/transport-node';
import { IsomorphError } from '../errors/isomorph-error.ts';
import type { EventLine, RawEvent } from '../ledger/envelope.ts';
import { readMeaning } from '../ledger/meaning.ts';
import { Verifier } from '../ledger/verify.ts';
import { readStream, type StoredMessage } from '../nats/read.ts';
import { decodeCommit, LEDGER_STREAM, WHOLE_LEDGER } from '../wire/ledger.ts';
import { type NamedArtifact, namedArtifacts } from './named-artifacts.ts';

/** A message of the ledger stream, judged. */
export interface JudgedMessage {
  readonly seq: number;
  readonly subject: string;
  /** Empty for a foreign message. */
  readonly events: readonly EventLine[];
  /** Why it is no commit; undefined when it is one. */
  readonly foreign: string | undefined;
}

/** Reads the ledger once, in pieces, verifying on the way and collecting what it names. */
export class LedgerReader {
  readonly verifier = new Verifier();
  /** What events name in the World, by path and CID. */
  readonly artifacts = new Map<string, NamedArtifact>();
  readonly #connection: NatsConnection;
  #source: AsyncIterator<StoredMessage> | undefined;
  #ahead: StoredMessage | undefined;
  #lastSeq = 0;
  #messages = 0;

  constructor(connection: NatsConnection) {
    this.#connection = connection;
  }

  /** Stream sequence of the last message that was read. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  get messages(): number {
    return this.#messages;
  }

  /** The messages that were not read yet, up to stream sequence `to` or the end of the stream. */
  async *upTo(to: number): AsyncGenerator<JudgedMessage> {
    for (;;) {
      const message = this.#ahead ?? (await this.#next());
      if (message === undefined) return;
      this.#ahead = message.seq > to ? message : undefined;
      if (this.#ahead !== undefined) return;
      this.#lastSeq = message.seq;
      this.#messages += 1;
      yield this.#judge(message);
    }
  }

  /** As {@link upTo}, for one who needs only the verdict. */
  async skipTo(to: number): Promise<void> {
    const messages = this.upTo(to);
    while (!(await messages.next()).done);
  }

  /** A source ends where the stream ended when it was last asked: only a fresh one that is empty says that it is the end. */
  async #next(): Promise<StoredMessage | undefined> {
    for (let fresh = this.#source === undefined; ; fresh = true) {
      const source = { stream: LEDGER_STREAM, filter: WHOLE_LEDGER, fromSeq: this.#lastSeq + 1 };
      this.#source ??= readStream(this.#connection, source);
      const next = await this.#source.next();
      if (!next.done) return next.value;
      this.#source = undefined;
      if (fresh) return undefined;
    }
  }

  #judge(message: StoredMessage): JudgedMessage {
    const { seq, subject } = message;
    const place = `message ${seq}`;
    try {
      const events = decodeCommit(message.data, subject);
      const linked = this.verifier.commit(
        events.map(({ raw }) => raw),
        place,
      );
      if (!linked) return { seq, subject, events: [], foreign: 'it does not follow the event before it' };
      for (const { raw } of events) this.#collect(raw);
      return { seq, subject, events, foreign: undefined };
    } catch (error) {
      if (!(error instanceof IsomorphError)) throw error;
      this.verifier.report(error, place);
      return { seq, subject, events: [], foreign: error.message };
    }
  }

  /** What an event names that is not known here, the version that wrote it will check. */
  #collect(raw: RawEvent): void {
    const meaning = readMeaning(raw);
    if (meaning.kind !== 'event') return;
    const { event } = meaning;
    for (const named of namedArtifacts(event)) {
      const key = `${named.cid} ${named.path}`;
      if (!this.artifacts.has(key)) this.artifacts.set(key, { ...named, planId: event.plan_id, seq: event.seq });
    }
  }
}
