import { errors, type NatsConnection, type Subscription } from '@nats-io/transport-node';
import { TokenBucket } from '../../../async/token-bucket.ts';
import { jsonIn } from '../../../text/json-in.ts';
import {
  type Contact,
  type Forget,
  type FromWorker,
  fromWorker,
  type Offer,
  type OfferAnswer,
  parseContactAnswer,
  parseFromWorker,
  parseOfferAnswer,
  type Stop,
  toWorker,
  WORKER_LIMITS,
} from '../../../wire/workers.ts';
import type { RunLimits } from '../../run-limits.ts';

export interface LineOptions {
  readonly connection: NatsConnection;
  readonly namespace: string;
  readonly id: string;
  /** Names this end. */
  readonly dispatcher: string;
  readonly limits: RunLimits;
  readonly messagesPerS: number;
  readonly onMessage: (message: FromWorker) => void;
}

/**
 * `silent`: it may have got it and not answered; `gone`: nobody listens there, so that nobody has it; `too large`: NATS carries no
 * message of that size.
 */
export interface Unanswered {
  readonly answer: 'silent' | 'gone' | 'too large';
}

/** A worker answers an offer within so long. */
const ANSWER_MS = 1_000;
/** What one worker may say: twice what one with a thousand short runs a second does. */
export const MESSAGES_PER_S = 5_000;
const BYTES_PER_S = 16 * 2 ** 20;
const BURST_S = 2;
/** One that says more is not heard for so long, and repeats the ends of its runs afterwards. */
const MUTED_MS = 5_000;

/** What is between this dispatcher and one worker: nothing that the worker sends on it reaches anybody else's runs. */
export class WorkerLine {
  readonly #options: LineOptions;
  readonly #messages: TokenBucket;
  readonly #bytes = new TokenBucket(BYTES_PER_S, { burst: BYTES_PER_S * BURST_S });
  #subscription: Subscription | undefined;
  #muted: NodeJS.Timeout | undefined;
  /** Monotonic, in milliseconds: when it was last heard. */
  heardMs = performance.now();

  constructor(options: LineOptions) {
    this.#options = options;
    const { messagesPerS } = options;
    this.#messages = new TokenBucket(messagesPerS, { burst: messagesPerS * BURST_S });
    this.#listen();
  }

  get namespace(): string {
    return this.#options.namespace;
  }

  get id(): string {
    return this.#options.id;
  }

  async offer(offer: Offer): Promise<OfferAnswer | Unanswered> {
    const { connection, namespace, id } = this.#options;
    const request = JSON.stringify(offer);
    if (Buffer.byteLength(request) > (connection.info?.max_payload ?? Number.POSITIVE_INFINITY)) {
      return { answer: 'too large' };
    }
    try {
      const { data } = await connection.request(toWorker(namespace, id, 'offer'), request, { timeout: ANSWER_MS });
      const answer = data.byteLength > WORKER_LIMITS.answer_bytes ? undefined : parseOfferAnswer(jsonIn(data));
      this.heardMs = performance.now();
      return answer?.ok ? answer.value : { v: 1, answer: 'unknown' };
    } catch (error) {
      return { answer: isNobody(error) ? 'gone' : 'silent' };
    }
  }

  /** Says that this dispatcher is there. @returns the runs that the worker has of it; undefined when it does not answer */
  async contact(withinMs: number): Promise<ReadonlySet<string> | undefined> {
    const { connection, namespace, id, dispatcher } = this.#options;
    const contact: Contact = { v: 1, dispatcher };
    try {
      const subject = toWorker(namespace, id, 'contact');
      const { data } = await connection.request(subject, JSON.stringify(contact), { timeout: withinMs });
      const answer = data.byteLength > WORKER_LIMITS.answer_bytes ? undefined : parseContactAnswer(jsonIn(data));
      if (!answer?.ok) return undefined;
      this.heardMs = performance.now();
      return new Set(answer.value.executions);
    } catch {
      // It may only be away for a moment: whoever follows its runs judges its silence.
      return undefined;
    }
  }

  stop(stop: Stop): void {
    this.#tell('stop', stop);
  }

  forget(forget: Forget): void {
    this.#tell('forget', forget);
  }

  close(): void {
    clearTimeout(this.#muted);
    this.#subscription?.unsubscribe();
    this.#subscription = undefined;
  }

  #tell(request: 'stop' | 'forget', body: Stop | Forget): void {
    const { connection, namespace, id } = this.#options;
    if (!connection.isClosed()) connection.publish(toWorker(namespace, id, request), JSON.stringify(body));
  }

  #listen(): void {
    const { connection, namespace, id, dispatcher } = this.#options;
    if (connection.isClosed()) return;
    this.#subscription = connection.subscribe(fromWorker(namespace, id, dispatcher), {
      callback: (error, message) => {
        if (error === null) this.#heard(message.data);
      },
    });
  }

  #heard(data: Uint8Array): void {
    if (!this.#messages.tryTake(1) || !this.#bytes.tryTake(data.byteLength)) {
      this.#mute();
      return;
    }
    this.heardMs = performance.now();
    if (data.byteLength > WORKER_LIMITS.message_bytes) return;
    const parsed = parseFromWorker(jsonIn(data));
    if (parsed.ok) this.#options.onMessage(parsed.value);
  }

  /** The server throws away what comes meanwhile. */
  #mute(): void {
    const { id, limits, messagesPerS } = this.#options;
    limits.tell({ limit: 'messages_of_worker', of: id, used: messagesPerS, most: messagesPerS });
    this.#subscription?.unsubscribe();
    this.#subscription = undefined;
    clearTimeout(this.#muted);
    this.#muted = setTimeout(() => this.#listen(), MUTED_MS);
    this.#muted.unref();
  }
}

const isNobody = (error: unknown): boolean =>
  error instanceof errors.NoRespondersError || (error instanceof errors.RequestError && error.isNoResponders());
