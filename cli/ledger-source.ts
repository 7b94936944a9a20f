import type { NatsConnection } from '@nats-io/transport-node';
import { IsomorphError } from '../shared/errors/isomorph-error.ts';
import type { RawEvent } from '../shared/ledger/envelope.ts';
import type { LedgerEvent } from '../shared/ledger/events.ts';
import { lastSequenceOf, readStream, type StoredMessage } from '../shared/nats/read.ts';
import { decodeCommit, LEDGER_STREAM, planSubjects, WHOLE_LEDGER } from '../shared/wire/ledger.ts';
import { Chains } from './chains.ts';

/** Of a message that is none of a chain: why. ERR_NOT_AN_EVENT, ERR_CHAIN_BROKEN. */
interface Foreign {
  readonly kind: 'foreign';
  readonly message: StoredMessage;
  readonly error: IsomorphError;
}

interface Commit {
  readonly kind: 'commit';
  readonly message: StoredMessage;
  readonly planId: string;
  readonly raws: readonly RawEvent[];
}

/** One message of the ledger stream by its form alone: for a verifier, which reads the chains itself. */
export type DecodedMessage = Commit | Foreign;

/** One message of the ledger stream: a commit of the chain of its plan, or why it is none. */
export type LedgerMessage =
  /** Of `raws`, `events` are those that this version knows, and that are legal. */
  (Commit & { readonly events: readonly LedgerEvent[] }) | Foreign;

function decodeMessage(message: StoredMessage): DecodedMessage {
  try {
    const raws = decodeCommit(message.data, message.subject).map(({ raw }) => raw);
    return { kind: 'commit', message, planId: raws[0]?.plan_id ?? '', raws };
  } catch (error) {
    if (error instanceof IsomorphError && error.code === 'ERR_NOT_AN_EVENT') return { kind: 'foreign', message, error };
    throw error;
  }
}

/** Messages of one plan, or of all, as stored; ends at the end of the stream. */
export async function* readMessages(
  connection: NatsConnection,
  planId: string | undefined,
  fromSeq = 1,
): AsyncGenerator<DecodedMessage> {
  const filter = planId === undefined ? WHOLE_LEDGER : planSubjects(planId);
  for await (const message of readStream(connection, { stream: LEDGER_STREAM, filter, fromSeq }))
    yield decodeMessage(message);
}

/** The chains of what is read from `fromSeq` on; what stands before of a plan is read when the plan comes. */
const chainsFrom = (connection: NatsConnection, fromSeq: number): Chains =>
  new Chains({
    isWhole: fromSeq <= 1,
    async *before(planId, seq) {
      for await (const one of readMessages(connection, planId)) {
        if (one.message.seq >= seq) return;
        if (one.kind === 'commit') yield one.raws;
      }
    },
  });

async function judged(one: DecodedMessage, chains: Chains): Promise<LedgerMessage> {
  if (one.kind === 'foreign') return one;
  const { message, planId, raws } = one;
  const taken = await chains.take(raws, planId, message.seq);
  return taken.kind === 'foreign' ? { ...taken, message } : { ...one, events: taken.events };
}

/** Commits of the chain of one plan, or of all, and what is none of a chain; ends at the end of the stream. */
export async function* readLedger(
  connection: NatsConnection,
  planId: string | undefined,
): AsyncGenerator<LedgerMessage> {
  const chains = chainsFrom(connection, 1);
  for await (const one of readMessages(connection, planId)) yield judged(one, chains);
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
export async function* tailLedger(
  connection: NatsConnection,
  planId: string | undefined,
  fromSeq: number,
  signal: AbortSignal,
): AsyncGenerator<LedgerMessage> {
  const chains = chainsFrom(connection, fromSeq);
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
      for await (const one of readMessages(connection, planId, next)) {
        next = one.message.seq + 1;
        yield judged(one, chains);
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
