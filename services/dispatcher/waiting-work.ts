import type { NatsConnection } from '@nats-io/transport-node';
import type { Execution } from '../../shared/ledger/state.ts';
import { firstMessageFrom } from '../../shared/nats/read.ts';
import { missedAt } from '../../shared/plan/due.ts';
import { jsonIn } from '../../shared/text/json-in.ts';
import { parseWork, WORK_STREAM } from '../../shared/wire/work.ts';

/** A stream with more is not looked through: whoever asks does again. */
const MOST_MESSAGES = 5_000;

/** Of the time between two readings this part at most is spent on reading. */
const READING_SHARE = 1 / 20;
const REST_LEAST_MS = 1_000;

/** What waited in WORK at an instant. */
interface Reading {
  /** When it began, by the clock of the server. */
  readonly atMs: number;
  /** Undefined when there was too much to tell. */
  readonly waiting: ReadonlySet<string> | undefined;
}

/** @throws ERR_UNAVAILABLE when the server does not answer */
async function waitingInWork(connection: NatsConnection): Promise<ReadonlySet<string> | undefined> {
  const found = new Set<string>();
  let fromSeq = 1;
  for (let count = 0; count < MOST_MESSAGES; count++) {
    const message = await firstMessageFrom(connection, WORK_STREAM, fromSeq);
    if (message === undefined) return found;
    fromSeq = message.seq + 1;
    const work = parseWork(jsonIn(message.data));
    if (work.ok) found.add(work.value.execution_id);
  }
  return undefined;
}

/**
 * Tells which executions nobody will be given any more. What waits in WORK is read for all plans together and not more often
 * than its length allows: many plans that wait behind a long stream must not each read it.
 */
export class WaitingWork {
  readonly #connection: NatsConnection;
  readonly #nowMs: () => number;
  #last: Promise<Reading> | undefined;
  /** Monotonic; never while a reading is under way, which whoever asks then joins. */
  #againMs = 0;

  /** @param nowMs the clock of the server */
  constructor(connection: NatsConnection, nowMs: () => number) {
    this.#connection = connection;
    this.#nowMs = nowMs;
  }

  /**
   * Those of them whose message is gone. One that was not missed yet when the stream was read is left to the next look.
   * @throws ERR_UNAVAILABLE when the server does not answer
   */
  async gone(missed: readonly Execution[]): Promise<ReadonlySet<string>> {
    if (missed.length === 0) return new Set();
    const { waiting, atMs } = await this.#reading();
    if (waiting === undefined) return new Set();
    const gone = missed.filter((one) => missedAt(one) <= atMs && !waiting.has(one.executionId));
    return new Set(gone.map(({ executionId }) => executionId));
  }

  #reading(): Promise<Reading> {
    if (this.#last === undefined || performance.now() >= this.#againMs) this.#last = this.#read();
    return this.#last;
  }

  async #read(): Promise<Reading> {
    const [atMs, startedMs] = [this.#nowMs(), performance.now()];
    this.#againMs = Number.POSITIVE_INFINITY;
    try {
      return { atMs, waiting: await waitingInWork(this.#connection) };
    } finally {
      const endedMs = performance.now();
      this.#againMs = endedMs + Math.max(REST_LEAST_MS, (endedMs - startedMs) / READING_SHARE);
    }
  }
}
