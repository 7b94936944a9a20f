import { randomUUID } from 'node:crypto';
import { ProcessorError } from './errors.ts';
import type { JobScratch } from './job.ts';
import { request } from './transfer.ts';

/** One delivery of a message. */
export interface QueueMessage {
  /** The same in every delivery. */
  readonly id: string;
  readonly body: Uint8Array;
  /** Names this delivery, for `ack` and `nack`, in any process of the plan. */
  readonly receiptHandle: string;
  /** This one included, from 1. */
  readonly deliveries: number;
  /** Of a message in `<topic>.dead` only. */
  readonly deadReason?: string;
}

export interface QueueStats {
  readonly ready: number;
  readonly inFlight: number;
  readonly delayed: number;
  readonly dead: number;
}

/**
 * Keys and values that the steps of a plan share; gone some time after the plan, never in the World. Calls throw a
 * `ProcessorError` with the code of the refusal, and `TransientError` when the backend does not answer.
 */
export interface KvClient {
  get(key: string): Promise<Uint8Array | undefined>;
  /** `ttlS`: seconds after which the key is absent. `sensitive`: audit facts carry a hash of the key in any plan. */
  put(key: string, value: Uint8Array | string, options?: { ttlS?: number; sensitive?: boolean }): Promise<void>;
  delete(key: string, options?: { sensitive?: boolean }): Promise<void>;
  /** Adds `by` (default 1) to the integer at the key, from 0, and answers the sum. Not repeated when the answer is lost. */
  incr(key: string, options?: { by?: number; ttlS?: number; sensitive?: boolean }): Promise<number>;
}

/** A queue that the steps of a plan share: at least once, in no order. */
export interface QueueClient {
  /** Answers the id. Without an `idempotencyKey` one is made, so that repeating a lost call stores one message. */
  publish(body: Uint8Array | string, options?: { idempotencyKey?: string; delayS?: number }): Promise<string>;
  /** Waits up to `waitS` (default 0, the gateway waits at most 20) for messages, hidden from others for `visibilityTimeoutS`. */
  consume(options?: { maxMessages?: number; visibilityTimeoutS?: number; waitS?: number }): Promise<QueueMessage[]>;
  /** Done: it comes never again. Throws `ERR_RECEIPT` when the delivery is no longer this one's. */
  ack(message: Pick<QueueMessage, 'receiptHandle'>): Promise<void>;
  /** Ready for anybody after `delayS` (default 0). */
  nack(message: Pick<QueueMessage, 'receiptHandle'>, options?: { delayS?: number; reason?: string }): Promise<void>;
  stats(): Promise<QueueStats>;
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly body?: Uint8Array | string | object;
  /** False: happening twice would count twice. */
  readonly isRepeatable?: boolean;
}

interface Delivery {
  readonly id: string;
  readonly body: string;
  readonly receipt_handle: string;
  readonly deliveries: number;
  readonly dead_reason?: string;
}

const messageOf = ({ id, body, receipt_handle, deliveries, dead_reason }: Delivery): QueueMessage => ({
  id,
  body: new Uint8Array(Buffer.from(body, 'base64')),
  receiptHandle: receipt_handle,
  deliveries,
  ...(dead_reason === undefined ? {} : { deadReason: dead_reason }),
});

const bytesOf = (body: Uint8Array | string | object): Uint8Array<ArrayBuffer> =>
  new Uint8Array(Buffer.from(typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body)));

/** What is not there, as undefined. */
function absent(thrown: unknown): undefined {
  if (thrown instanceof ProcessorError && thrown.code === 'ERR_NOT_FOUND') return undefined;
  throw thrown;
}

/** KV and queues of the plan, by the scratch gateway of the job. */
export class ScratchClient {
  readonly #scratch: JobScratch | undefined;
  readonly #signal: AbortSignal;
  readonly kv: KvClient;

  constructor(scratch: JobScratch | undefined, signal: AbortSignal) {
    this.#scratch = scratch;
    this.#signal = signal;
    this.kv = this.#kv();
  }

  queue(topic: string): QueueClient {
    const path = `queue/${encodeURIComponent(topic)}`;
    const post = (action: string, call: Partial<Call>): Promise<Response> =>
      this.#call(`${action} on ${topic}`, { method: 'POST', path: `${path}/${action}`, ...call });
    return {
      publish: async (body, { idempotencyKey = randomUUID(), delayS } = {}) => {
        const answer = await post('publish', { query: { idempotency_key: idempotencyKey, delay_s: delayS }, body });
        return ((await answer.json()) as { id: string }).id;
      },
      consume: async ({ maxMessages, visibilityTimeoutS, waitS } = {}) => {
        const asked = { max_messages: maxMessages, visibility_timeout_s: visibilityTimeoutS, wait_s: waitS };
        const answer = await post('consume', { body: asked });
        return ((await answer.json()) as { messages: Delivery[] }).messages.map(messageOf);
      },
      ack: async ({ receiptHandle }) => void (await post('ack', { body: { receipt_handle: receiptHandle } })),
      nack: async ({ receiptHandle }, { delayS, reason } = {}) =>
        void (await post('nack', { body: { receipt_handle: receiptHandle, delay_s: delayS, reason } })),
      stats: async () => {
        const answer = await this.#call(`stats of ${topic}`, { method: 'GET', path });
        const { in_flight: inFlight, ...rest } = (await answer.json()) as QueueStats & { in_flight: number };
        return { ...rest, inFlight };
      },
    };
  }

  #kv(): KvClient {
    const call = (method: string, key: string, rest: Partial<Call> = {}): Promise<Response> =>
      this.#call(`${method} of a key`, { method, path: 'kv', ...rest, query: { key, ...rest.query } });
    return {
      get: async (key) => {
        const answer = await call('GET', key).catch(absent);
        return answer === undefined ? undefined : new Uint8Array(await answer.arrayBuffer());
      },
      put: async (key, body, { ttlS, sensitive } = {}) =>
        void (await call('PUT', key, { body, query: { ttl_s: ttlS, sensitive } })),
      delete: async (key, { sensitive } = {}) => void (await call('DELETE', key, { query: { sensitive } })),
      incr: async (key, { by, ttlS, sensitive } = {}) => {
        const rest = { body: { by, ttl_s: ttlS }, query: { sensitive }, isRepeatable: false };
        const answer = await call('POST', key, rest);
        return ((await answer.json()) as { value: number }).value;
      },
    };
  }

  async #call(action: string, { method, path, query = {}, body, isRepeatable }: Call): Promise<Response> {
    if (this.#scratch === undefined) {
      const message = 'this job has no scratch: the registry file lists none';
      throw new ProcessorError(message, { code: 'ERR_TOKEN_REFUSED' });
    }
    const url = new URL(path, this.#scratch.url);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    const headers = { authorization: `Bearer ${this.#scratch.token}` };
    const init = { method, headers, ...(body === undefined ? {} : { body: bytesOf(body) }) };
    return request(action, url.href, init, this.#signal, isRepeatable);
  }
}
