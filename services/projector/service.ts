import { JetStreamApiError, jetstreamManager } from '@nats-io/jetstream';
import type pg from 'pg';
import { backoffMs, delay } from '../../shared/async/delay.ts';
import { OnceAMinute, reasonOf } from '../../shared/async/once-a-minute.ts';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import type { Reading } from '../../shared/ledger/reading.ts';
import type { Consumption } from '../../shared/nats/consume.ts';
import { readStream, type StoredMessage } from '../../shared/nats/read.ts';
import { migrate } from '../../shared/projection/migrate.ts';
import { isPassing } from '../../shared/projection/postgres.ts';
import type { Rows } from '../../shared/projection/tables.ts';
import { LEDGER_STREAM, WHOLE_LEDGER } from '../../shared/wire/ledger.ts';
import type { ArtifactStore } from '../../shared/world/artifact-store.ts';
import type { ServiceDeps } from '../common/deps.ts';
import { changesOf, mergeChanges } from './changes.ts';
import { decide, type FollowedMessages, type Halted, plansOf } from './decide.ts';
import { DocumentReader } from './documents.ts';
import { Plans } from './plans.ts';
import { Waker } from './waker.ts';
import { readPosition, writeBatch } from './write.ts';

export interface ProjectorDeps extends ServiceDeps {
  /** The caller listens to its `error` and ends it. */
  readonly pool: pg.Pool;
  readonly store: ArtifactStore;
}

export interface Projection extends Consumption {
  /**
   * Rejects when the projector has halted, since Postgres holds what this ledger does not: ERR_CHAIN_BROKEN. Never
   * resolves.
   */
  readonly failure: Promise<never>;
}

const RETRY = { baseMs: 200, maxMs: 10_000 } as const;

/** Messages of one transaction; as many as there are when the last one ended, up to these. */
const BATCH_MESSAGES = 500;
const BATCH_BYTES = 4 * 1024 * 1024;

/** JetStream API error: no message of this sequence. */
const NO_MESSAGE = 10037;

class Projector implements Projection {
  readonly failure: Promise<never>;
  readonly #deps: ProjectorDeps;
  readonly #documents: DocumentReader;
  readonly #plans: Plans;
  readonly #waker: Waker;
  readonly #abort = new AbortController();
  readonly #often = new OnceAMinute();
  #reject: (error: IsomorphError) => void = () => undefined;
  #loop: Promise<void> | undefined;
  /** What Postgres is believed to hold; undefined when that has to be read. */
  #position: number | undefined;
  /** Plans that this version cannot follow, and so never will. */
  readonly #halted = new Set<string>();

  constructor(deps: ProjectorDeps) {
    this.#deps = deps;
    this.#documents = new DocumentReader(deps.store, deps.log);
    this.#plans = new Plans(deps.pool, this.#documents);
    this.#waker = new Waker(deps.connection);
    this.failure = new Promise<never>((_, reject) => {
      this.#reject = reject;
    });
    // Whoever does not look at it has the log.
    this.failure.catch(() => undefined);
  }

  start(): void {
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#loop;
    await this.#documents.stop();
    this.#waker.close();
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    for (let failures = 0; !signal.aborted; ) {
      try {
        if (await this.#catchUp()) this.#waker.progressed();
        failures = 0;
        await this.#waker.wait(signal);
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof IsomorphError && !error.retryable) return this.#halt(error);
        this.#tellOf(error);
        // A commit whose answer was lost may have been made.
        this.#position = undefined;
        this.#plans.forget();
        await delay(backoffMs(failures, { ...RETRY, random: Math.random }), signal).catch(() => undefined);
        failures += 1;
      }
    }
  }

  #tellOf(error: unknown): void {
    const passing = isPassing(error) || (error instanceof IsomorphError && error.code !== 'ERR_INTERNAL');
    const times = this.#often.due(passing ? reasonOf(error) : String(error));
    if (times === undefined) return;
    this.#deps.log[passing ? 'warn' : 'error']({ err: error, times }, 'projecting was interrupted; it is tried again');
  }

  #halt(error: IsomorphError): void {
    this.#deps.log.fatal(
      { err: error, ...error.place },
      'the projection is not that of this ledger: the projector halts',
    );
    this.#abort.abort();
    this.#reject(error);
  }

  /** Projects what there is. Returns whether there was something. */
  async #catchUp(): Promise<boolean> {
    if (this.#position === undefined || this.#waker.takeReconnected()) {
      this.#position = await this.#confirmedPosition();
      await this.#judgeAnew(this.#position, await this.#unfollowed());
      this.#documents.resume(await this.#plans.undocumented());
    }
    await this.#judgeAnew(this.#position, this.#documents.takeReadable());
    const source = { stream: LEDGER_STREAM, filter: WHOLE_LEDGER, fromSeq: this.#position + 1 };
    let batch: StoredMessage[] = [];
    let bytes = 0;
    let any = false;
    for await (const message of this.#waker.untilDisturbed(
      readStream(this.#deps.connection, source),
      this.#abort.signal,
    )) {
      if (this.#abort.signal.aborted) return any;
      any = true;
      batch.push(message);
      bytes += message.data.byteLength;
      if (batch.length < BATCH_MESSAGES && bytes < BATCH_BYTES) continue;
      await this.#project(batch);
      batch = [];
      bytes = 0;
    }
    if (batch.length > 0 && !this.#abort.signal.aborted) await this.#project(batch);
    return any;
  }

  /** A stream that lacks what was projected is not the one that was projected: its new messages would be passed over. */
  async #confirmedPosition(): Promise<number> {
    const position = await readPosition(this.#deps.pool);
    if (position === 0) return position;
    const jsm = await jetstreamManager(this.#deps.connection, { checkAPI: false });
    try {
      if ((await jsm.streams.getMessage(LEDGER_STREAM, { seq: position })) !== null) return position;
    } catch (error) {
      if (!(error instanceof JetStreamApiError) || error.code !== NO_MESSAGE) throw error;
    }
    throw new IsomorphError(
      'ERR_CHAIN_BROKEN',
      `Postgres has message ${position} of ${LEDGER_STREAM}, which has it not`,
      {
        pointer: `message ${position}`,
        expected: 'the stream that was projected; for another one drop the schema isomorph',
      },
    );
  }

  async #project(messages: readonly StoredMessage[]): Promise<void> {
    const from = this.#position;
    if (from === undefined) throw new IsomorphError('ERR_INTERNAL', 'a batch without a position');
    const before = await this.#plans.load(plansOf(messages), from);
    const decision = decide(new Map([...before].map(([planId, { reading }]) => [planId, reading])), messages);
    await this.#write(from, before, decision);
    for (const foreign of decision.foreign) this.#deps.onForeign(foreign);
    for (const halted of decision.halted) this.#tellOfStanding(halted);
  }

  #tellOfStanding({ planId, streamSeq, standing }: Halted): void {
    const place = { plan_id: planId, seq: standing.seq, stream_seq: streamSeq };
    if (standing.kind === 'newer') {
      this.#deps.log.warn({ ...place, reason: standing.why }, 'a plan is intact and newer than this version');
    } else this.#deps.log.error({ ...place, err: standing.error }, 'a plan is quarantined: an event of it is illegal');
  }

  async #write(from: number, before: Awaited<ReturnType<Plans['load']>>, decision: FollowedMessages): Promise<void> {
    const { events, foreign, readings, position: to = from } = decision;
    const after = await this.#rowsOf([...readings.values()]);
    const changes = mergeChanges(
      after.map(({ reading, rows }) => changesOf(before.get(reading.state.planId)?.rows, rows)),
    );
    await writeBatch(this.#deps.pool, { from, to, events, foreign, changes });
    for (const one of after) this.#plans.keep(one.reading.state.planId, one);
    this.#noteHalted(after);
    this.#position = to;
  }

  #rowsOf(readings: readonly Reading[]): Promise<{ reading: Reading; rows: Rows }[]> {
    return Promise.all(readings.map(async (reading) => ({ reading, rows: await this.#plans.rows(reading) })));
  }

  #noteHalted(judged: readonly { readonly reading: Reading }[]): void {
    for (const { reading } of judged) if (reading.standing.kind !== 'known') this.#halted.add(reading.state.planId);
  }

  /**
   * What an earlier version could not follow may be plain to this one: looked at whenever another projector may have
   * written, since that can be one of an earlier version which runs beside this one.
   */
  async #unfollowed(): Promise<string[]> {
    return (await this.#plans.unfollowed()).filter((planId) => !this.#halted.has(planId));
  }

  async #judgeAnew(position: number, anew: readonly string[]): Promise<void> {
    if (anew.length === 0) return;
    const loaded = await this.#plans.load(anew, position);
    const after = await this.#rowsOf([...loaded.values()].map(({ reading }) => reading));
    const changes = mergeChanges(after.map(({ rows }) => changesOf(undefined, rows)));
    await writeBatch(this.#deps.pool, { from: position, to: position, events: [], foreign: [], changes, anew });
    for (const one of after) this.#plans.keep(one.reading.state.planId, one);
    this.#noteHalted(after);
    this.#deps.log.info({ plans: anew.length }, 'plans that were not projected whole were judged anew');
  }
}

/** Migrates; a Postgres that is not up yet is waited for. */
async function migrated({ pool, log }: ProjectorDeps): Promise<void> {
  const often = new OnceAMinute();
  for (let failures = 0; ; failures++) {
    try {
      const applied = await migrate(pool);
      if (applied.length > 0) log.info({ migrations: applied }, 'the schema is up to date');
      return;
    } catch (error) {
      if (error instanceof IsomorphError || !isPassing(error)) throw error;
      if (often.due('away') !== undefined) log.warn({ err: error }, 'Postgres does not answer; it is tried again');
      await delay(backoffMs(failures, { ...RETRY, random: Math.random }));
    }
  }
}

/**
 * Projects the ledger into the schema `isomorph`, exactly once, in order and for ever; waits for servers that are down.
 * Any number of projectors may run on one database: one of them gets on, the others try again.
 * @throws ERR_CONFIG when the schema is not one of this version
 */
export async function startProjector(deps: ProjectorDeps): Promise<Projection> {
  await migrated(deps);
  const projector = new Projector(deps);
  projector.start();
  return projector;
}
