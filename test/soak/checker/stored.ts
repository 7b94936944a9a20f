/** Reads streams message by message, by the server's own requests alone. */
import { setTimeout as delay } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import { errors, type NatsConnection } from '@nats-io/transport-node';

export interface Stored {
  readonly subject: string;
  readonly seq: number;
  readonly bytes: Uint8Array;
}

const NO_MESSAGE = 10037;
const TIMEOUT_MS = 5_000;
const PATIENCE_MS = 60_000;

interface Answer {
  readonly message?: { readonly subject: string; readonly seq: number; readonly data?: string };
  readonly error?: { readonly err_code: number; readonly description: string };
}

/** The server may be killed while it is asked, and starts again: what it does not answer is asked again. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (const untilMs = performance.now() + PATIENCE_MS; ; await delay(200)) {
    try {
      return await ask();
    } catch (error) {
      const isSilence = error instanceof errors.TimeoutError || error instanceof errors.RequestError;
      if (!isSilence || performance.now() > untilMs) throw error;
    }
  }
}

/** All messages of a stream in order, those before `firstSeq` left out. */
export async function storedIn(connection: NatsConnection, stream: string, firstSeq = 1): Promise<Stored[]> {
  const stored: Stored[] = [];
  for (let seq = firstSeq; ; seq = (stored.at(-1)?.seq ?? 0) + 1) {
    const asked = JSON.stringify({ seq, next_by_subj: '>' });
    const subject = `$JS.API.STREAM.MSG.GET.${stream}`;
    const reply = await patiently(() => connection.request(subject, asked, { timeout: TIMEOUT_MS }));
    const { message, error } = reply.json<Answer>();
    if (error?.err_code === NO_MESSAGE) return stored;
    if (message === undefined) throw new Error(`${stream} cannot be read: ${error?.description}`);
    stored.push({ subject: message.subject, seq: message.seq, bytes: Buffer.from(message.data ?? '', 'base64') });
  }
}

export interface ConsumerSight {
  readonly stream: string;
  readonly name: string;
  /** Not yet delivered, and not yet acknowledged. */
  readonly left: number;
  /** Deliveries, repeated ones included. */
  readonly deliveries: number;
}

export interface StreamSight {
  readonly name: string;
  /** Subjects that have a message. */
  readonly subjects: readonly string[];
}

export interface Sight {
  readonly streams: readonly StreamSight[];
  readonly consumers: readonly ConsumerSight[];
}

/** Every stream and every consumer that the server has. */
export const sightOf = (connection: NatsConnection): Promise<Sight> => patiently(() => sightNow(connection));

async function sightNow(connection: NatsConnection): Promise<Sight> {
  const manager = await jetstreamManager(connection, { checkAPI: false, timeout: TIMEOUT_MS });
  const streams: StreamSight[] = [];
  const consumers: ConsumerSight[] = [];
  for await (const { config, state } of manager.streams.list()) {
    const held = state.messages === 0 ? undefined : await manager.streams.info(config.name, { subjects_filter: '>' });
    streams.push({ name: config.name, subjects: Object.keys(held?.state.subjects ?? {}) });
    if (state.consumer_count === 0) continue;
    for await (const { name, num_pending, num_ack_pending, delivered } of manager.consumers.list(config.name)) {
      const left = num_pending + num_ack_pending;
      consumers.push({ stream: config.name, name, left, deliveries: delivered.consumer_seq });
    }
  }
  return { streams, consumers };
}
