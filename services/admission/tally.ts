/** Counts what is under way by the ledger itself: a restart forgets nothing, and copies of admission count the same (ADR 93). */
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { admissionsOf, openPlans } from '../../shared/journal/open-plans.ts';
import { commitOf } from '../../shared/journal/snapshot.ts';
import { readMeaning } from '../../shared/ledger/meaning.ts';
import { readStream, type StoredMessage } from '../../shared/nats/read.ts';
import { commitSubject, LEDGER_STREAM, planOfSubject } from '../../shared/wire/ledger.ts';
import type { Limits } from '../common/config/limits.ts';
import { setLimits } from '../common/limits-in-force.ts';
import type { LedgerUse } from './quotas.ts';
import { DAY_MS, Usage } from './usage.ts';

/** Admissions before ends: a plan that did both since the last look is not open. */
const COUNTED = ['plan.admitted', 'plan.settled', 'plan.rejected'] as const;

const LOOK_EVERY_MS = 1_000;

export interface TallyOptions {
  readonly connection: NatsConnection;
  readonly limits: Limits;
  readonly nowMs: () => number;
}

export class Tally {
  readonly #options: TallyOptions;
  readonly usage = new Usage();
  #jsm: JetStreamManager | undefined;
  #limits: Limits;
  #ledger: LedgerUse = { bytes: 0, limitBytes: Number.POSITIVE_INFINITY };
  #readTo: number | undefined;
  #lookedMs = Number.NEGATIVE_INFINITY;
  /** Something that counts was written since. */
  #isOutOfDate = false;
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(options: TallyOptions) {
    this.#options = options;
    this.#limits = options.limits;
  }

  /** As they are now: an operator may set them at any time. */
  get limits(): Limits {
    return this.#limits;
  }

  get ledger(): LedgerUse {
    return this.#ledger;
  }

  /** Looks unless somebody did within a second, and nothing was written here since. @throws ERR_UNAVAILABLE */
  async recent(): Promise<void> {
    if (this.#isOutOfDate || performance.now() - this.#lookedMs >= LOOK_EVERY_MS) await this.look();
  }

  /** What was counted as about to be written is in the ledger now: the next look counts it. */
  wrote(): void {
    this.#isOutOfDate = true;
  }

  /** Counts all that is in the ledger when it is called; who calls at once shares one look. @throws ERR_UNAVAILABLE */
  look(): Promise<void> {
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        this.#running = this.#look();
        return this.#running;
      });
    return this.#next;
  }

  async #look(): Promise<void> {
    const { connection, limits, nowMs } = this.#options;
    this.#isOutOfDate = false;
    try {
      this.#jsm ??= await jetstreamManager(connection, { checkAPI: false });
      const { state, config } = await this.#jsm.streams.info(LEDGER_STREAM);
      const limitBytes = config.max_bytes > 0 ? config.max_bytes : Number.POSITIVE_INFINITY;
      if (this.#readTo === undefined) await this.#begin(state.last_seq);
      else if (state.last_seq > this.#readTo) await this.#readOn(this.#readTo + 1, state.last_seq);
      this.#readTo = state.last_seq;
      this.#ledger = { bytes: state.bytes, limitBytes };
      this.#limits = { ...limits, ...setLimits(config.metadata) };
      this.usage.forget(nowMs());
      this.#lookedMs = performance.now();
    } catch (error) {
      if (error instanceof IsomorphError) throw error;
      throw new IsomorphError('ERR_UNAVAILABLE', `counting what is under way: ${(error as Error).message}`, {}, error);
    }
  }

  /** What is open is asked of the stream's subjects; what was rejected in a day is read. */
  async #begin(lastSeq: number): Promise<void> {
    const { connection, nowMs } = this.#options;
    const { ids } = await openPlans(connection);
    for (const message of await admissionsOf(connection, ids)) this.#take(message);
    const since = new Date(nowMs() - DAY_MS).toISOString();
    await this.#read('plan.rejected', { fromSeq: 1, since }, lastSeq);
  }

  async #readOn(fromSeq: number, lastSeq: number): Promise<void> {
    for (const kind of COUNTED) await this.#read(kind, { fromSeq }, lastSeq);
  }

  async #read(
    kind: string,
    from: { readonly fromSeq: number; readonly since?: string },
    lastSeq: number,
  ): Promise<void> {
    const filter = commitSubject({ plan_id: '*', kind });
    for await (const message of readStream(this.#options.connection, { stream: LEDGER_STREAM, filter, ...from })) {
      // The next look counts what came meanwhile.
      if (message.seq > lastSeq) return;
      this.#take(message);
    }
  }

  #take(message: StoredMessage): void {
    const planId = planOfSubject(message.subject);
    const commit = planId === undefined ? undefined : commitOf(planId, message);
    // What is no event counts for nothing, and readers of its plan tell of it.
    if (planId === undefined || commit === undefined || commit instanceof IsomorphError) return;
    const events = commit.flatMap((raw) => {
      const meaning = readMeaning(raw);
      return meaning.kind === 'event' ? meaning.event : [];
    });
    this.usage.take({ planId, seq: message.seq, bytes: message.data.byteLength, events });
  }
}
