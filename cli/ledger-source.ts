import type { NatsConnection } from '@nats-io/transport-node';
import { IsomorphError } from '../shared/errors/isomorph-error.ts';
import type { RawEvent } from '../shared/ledger/envelope.ts';
import type { LedgerEvent } from '../shared/ledger/events.ts';
import { readMeaning } from '../shared/ledger/meaning.ts';
import { lastSequenceOf, readStream, type StoredMessage } from '../shared/nats/read.ts';
import { decodeCommit, LEDGER_STREAM, planSubjects, WHOLE_LEDGER } from '../shared/wire/ledger.ts';

/** One message of the ledger stream: a commit, or why it is none. */
export type LedgerMessage =
  | {
      readonly kind: 'commit';
      readonly message: StoredMessage;
      /** All of it; `events` are those that this version knows. */
      readonly raws: readonly RawEvent[];
      readonly events: readonly LedgerEvent[];
    }
  | { readonly kind: 'foreign'; readonly message: StoredMessage; readonly error: IsomorphError };

const knownEvent = (raw: RawEvent): LedgerEvent[] => {
  const meaning = readMeaning(raw);
  return meaning.kind === 'event' ? [meaning.event] : [];
};

export function decodeMessage(message: StoredMessage): LedgerMessage {
  try {
    const raws = decodeCommit(message.data, message.subject).map(({ raw }) => raw);
    return { kind: 'commit', message, raws, events: raws.flatMap(knownEvent) };
  } catch (error) {
    if (error instanceof IsomorphError && error.code === 'ERR_NOT_AN_EVENT') return { kind: 'foreign', message, error };
    throw error;
  }
}

/** Commits of one plan, or of all, as stored; ends at the end of the stream. */
export async function* readLedger(
  connection: NatsConnection,
  planId: string | undefined,
  fromSeq = 1,
): AsyncGenerator<LedgerMessage> {
  const filter = planId === undefined ? WHOLE_LEDGER : planSubjects(planId);
  for await (const message of readStream(connection, { stream: LEDGER_STREAM, filter, fromSeq }))
    yield decodeMessage(message);
}

/** Stream sequence of the last message of the ledger; 0 when it is empty. */
export const lastSequence = (connection: NatsConnection): Promise<number> =>
  lastSequenceOf(connection, LEDGER_STREAM, WHOLE_LEDGER);

/** Nothing was said: look anyway, since a wake-up may be lost with its connection. */
const IDLE_MS = 1_000;
/** In the account of the services a subscriber hears of a commit before the stream has it, and of those it refuses. */
const EAGER_MS = 15;
const EAGER_READS = 8;

/**
 * Commits from `fromSeq` on, and then those to come, until `signal` is aborted. The subscription is a wake-up call
 * only: what is yielded was read from the stream, so each commit comes once, in order, and a refused one never.
 */
export async function* followLedger(
  connection: NatsConnection,
  planId: string | undefined,
  fromSeq: number,
  signal: AbortSignal,
): AsyncGenerator<LedgerMessage> {
  let next = fromSeq;
  let eager = 0;
  let wake: () => void = () => undefined;
  const subscription = connection.subscribe(planId === undefined ? WHOLE_LEDGER : planSubjects(planId), {
    callback: () => {
      eager = EAGER_READS;
      wake();
    },
  });
  const onAbort = (): void => wake();
  signal.addEventListener('abort', onAbort);
  try {
    while (!signal.aborted) {
      for await (const one of readLedger(connection, planId, next)) {
        next = one.message.seq + 1;
        yield one;
        if (signal.aborted) return;
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, eager > 0 ? EAGER_MS : IDLE_MS);
        if (eager > 0) eager -= 1;
        wake = () => {
          clearTimeout(timer);
          setTimeout(resolve, EAGER_MS);
        };
        if (signal.aborted) wake();
      });
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    subscription.unsubscribe();
  }
}
