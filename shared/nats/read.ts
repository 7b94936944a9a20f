import { createInbox, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { IsomorphError } from '../errors/isomorph-error.ts';

/** One stored message, as DIRECT.GET returns it. */
export interface StoredMessage {
  readonly subject: string;
  /** Sequence in the stream. */
  readonly seq: number;
  /** When the server stored it, RFC 3339. */
  readonly storedAt: string;
  readonly data: Uint8Array;
}

export interface ReadOptions {
  readonly stream: string;
  readonly filter: string;
  /** First sequence in the stream that may be returned. */
  readonly fromSeq: number;
  /** Nothing that was stored before this, RFC 3339; with it `fromSeq` counts from the second batch on. */
  readonly since?: string;
}

const BATCH = 512;
const BATCH_TIMEOUT_MS = 15_000;

interface Batch {
  readonly messages: StoredMessage[];
  /** Messages behind the last one. */
  readonly pending: number;
}

const header = (message: Msg, name: string): string => message.headers?.get(name) ?? '';

const storedOf = (reply: Msg): StoredMessage => ({
  subject: header(reply, 'Nats-Subject'),
  seq: Number(header(reply, 'Nats-Sequence')),
  storedAt: header(reply, 'Nats-Time-Stamp'),
  data: reply.data,
});

/**
 * The answers to one request, until whoever reads them breaks off. The client's own `requestMany` takes an answer without
 * a body for the last one: an empty message in a stream would end every reading of it for good.
 */
async function* answersOf(connection: NatsConnection, subject: string, query: string): AsyncGenerator<Msg> {
  const inbox = createInbox();
  const answers = connection.subscribe(inbox);
  const timer = setTimeout(() => answers.unsubscribe(), BATCH_TIMEOUT_MS);
  try {
    connection.publish(subject, query, { reply: inbox });
    yield* answers;
  } finally {
    clearTimeout(timer);
    answers.unsubscribe();
  }
}

/**
 * One DIRECT.GET batch (ADR-31 of NATS). The client's own `getBatch` leaves its subscription behind and cannot tell
 * a batch that was cut off from one that ended; here an answer without its end mark is an error.
 */
async function readBatch(connection: NatsConnection, { stream, filter, fromSeq, since }: ReadOptions): Promise<Batch> {
  const begin = since === undefined ? { seq: fromSeq } : { start_time: since };
  const query = JSON.stringify({ ...begin, next_by_subj: filter, batch: BATCH });
  const messages: StoredMessage[] = [];
  for await (const reply of answersOf(connection, `$JS.API.DIRECT.GET.${stream}`, query)) {
    const status = reply.headers?.code ?? 0;
    if (status === 404) return { messages, pending: 0 };
    if (status === 204) return { messages, pending: Number(header(reply, 'Nats-Num-Pending') || 0) };
    if (status !== 0) throw new IsomorphError('ERR_UNAVAILABLE', `reading ${stream}: ${reply.headers?.description}`);
    messages.push(storedOf(reply));
  }
  throw new IsomorphError('ERR_UNAVAILABLE', `reading ${stream}: the answer was cut off`);
}

/**
 * Messages of a stream in order, from `fromSeq` to the last one there is when the end is reached.
 * @throws ERR_UNAVAILABLE when the server does not answer or its answer is cut off.
 */
export async function* readStream(connection: NatsConnection, options: ReadOptions): AsyncGenerator<StoredMessage> {
  let next = options;
  for (;;) {
    let batch: Batch;
    try {
      batch = await readBatch(connection, next);
    } catch (error) {
      if (error instanceof IsomorphError) throw error;
      throw new IsomorphError('ERR_UNAVAILABLE', `reading ${options.stream}: ${(error as Error).message}`, {}, error);
    }
    yield* batch.messages;
    const last = batch.messages.at(-1);
    if (last === undefined || batch.pending === 0) return;
    const { stream, filter } = options;
    next = { stream, filter, fromSeq: last.seq + 1 };
  }
}

const ANSWER_TIMEOUT_MS = 5_000;

/**
 * The last message of a stream whose subject matches `filter`; undefined when there is none.
 * @throws ERR_UNAVAILABLE when the server does not answer.
 */
export async function lastMessageOf(
  connection: NatsConnection,
  stream: string,
  filter: string,
): Promise<StoredMessage | undefined> {
  const query = JSON.stringify({ last_by_subj: filter });
  try {
    const reply = await connection.request(`$JS.API.DIRECT.GET.${stream}`, query, { timeout: ANSWER_TIMEOUT_MS });
    return header(reply, 'Nats-Sequence') === '' ? undefined : storedOf(reply);
  } catch (error) {
    throw new IsomorphError('ERR_UNAVAILABLE', `reading ${stream}: ${(error as Error).message}`, {}, error);
  }
}

/** Its sequence; 0 when there is none. @throws as {@link lastMessageOf} */
export const lastSequenceOf = async (connection: NatsConnection, stream: string, filter: string): Promise<number> =>
  (await lastMessageOf(connection, stream, filter))?.seq ?? 0;

/** As the server tells it: `data` in base64, absent for an empty body. */
interface Told {
  readonly message?: { readonly subject: string; readonly seq: number; readonly data?: string; readonly time: string };
  readonly error?: { readonly err_code?: number; readonly description?: string };
}

/** JetStream API error: no message found. */
const NO_MESSAGE = 10037;

/**
 * The first message that a stream still has at `fromSeq` or behind it; undefined when there is none. Asked of the leader,
 * who knows every message and every acknowledgement, which a direct read of a replicated stream does not.
 * @throws ERR_UNAVAILABLE when the server does not answer.
 */
export async function firstMessageFrom(
  connection: NatsConnection,
  stream: string,
  fromSeq: number,
  filter = '>',
): Promise<StoredMessage | undefined> {
  let told: Told;
  try {
    const query = JSON.stringify({ seq: fromSeq, next_by_subj: filter });
    told = (await connection.request(`$JS.API.STREAM.MSG.GET.${stream}`, query, { timeout: ANSWER_TIMEOUT_MS })).json();
  } catch (error) {
    throw new IsomorphError('ERR_UNAVAILABLE', `reading ${stream}: ${(error as Error).message}`, {}, error);
  }
  const { message, error } = told;
  if (error?.err_code === NO_MESSAGE) return undefined;
  if (message === undefined) throw new IsomorphError('ERR_UNAVAILABLE', `reading ${stream}: ${error?.description}`);
  const { subject, seq, data = '', time: storedAt } = message;
  return { subject, seq, storedAt, data: Buffer.from(data, 'base64') };
}
