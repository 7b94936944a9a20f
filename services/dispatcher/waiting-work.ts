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
  /** When it began: by the clock of the server, and by that of this process. */
  readonly atMs: number;
  readonly startedMs: number;
  /** Undefined when there was too much to tell. */
  readonly waiting: ReadonlySet<string> | undefined;
  readonly restMs: number;
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

  async #reading(): Promise<Reading> {
    const last = await this.#last;
    if (last !== undefined && performance.now() - last.startedMs < last.restMs) return last;
    const reading = this.#read();
    this.#last = reading;
    reading.catch(() => {
      // The next one asks again.
      this.#last = undefined;
    });
    return reading;
  }

  async #read(): Promise<Reading> {
    const [atMs, startedMs] = [this.#nowMs(), performance.now()];
    const waiting = await waitingInWork(this.#connection);
    const restMs = Math.max(REST_LEAST_MS, (performance.now() - startedMs) / READING_SHARE);
    return { atMs, startedMs, waiting, restMs };
  }
}
