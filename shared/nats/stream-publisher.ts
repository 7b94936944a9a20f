import { createInbox, headers, type Msg, type NatsConnection } from '@nats-io/transport-node';

/** What a stream says to a message. */
export type StreamAnswer =
  | { readonly kind: 'stored'; readonly seq: number; readonly duplicate: boolean }
  | { readonly kind: 'refused'; readonly code: number; readonly description: string }
  /** Nothing, or nobody was there: it may be stored all the same. */
  | { readonly kind: 'silent' };

interface Waiting {
  readonly dueMs: number;
  readonly resolve: (answer: StreamAnswer) => void;
}

/** As a stream tells it. */
interface Told {
  readonly seq?: number;
  readonly duplicate?: boolean;
  readonly error?: { readonly err_code?: number; readonly code: number; readonly description?: string };
}

const SILENT: StreamAnswer = { kind: 'silent' };

function answerOf(message: Msg): StreamAnswer {
  if (message.data.byteLength === 0) return SILENT;
  const { seq, duplicate = false, error } = message.json<Told>();
  if (error !== undefined) {
    return { kind: 'refused', code: error.err_code ?? error.code, description: error.description ?? '' };
  }
  return seq === undefined ? SILENT : { kind: 'stored', seq, duplicate };
}

const TIMEOUT_MS = 5_000;

/**
 * Publishes to streams and hears all answers on one inbox, with one timer for all of them: the client's own request makes
 * an error with its stack, a timer and four promises for each message.
 */
export class StreamPublisher {
  readonly #connection: NatsConnection;
  readonly #inbox = createInbox();
  /** In the order in which they were published, and so in that in which they are due. */
  readonly #waiting = new Map<string, Waiting>();
  #next = 0;
  #isListening = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(connection: NatsConnection) {
    this.#connection = connection;
  }

  /** Never rejects. @param fields headers of the message by name */
  publish(subject: string, data: Uint8Array, fields: Readonly<Record<string, string>>): Promise<StreamAnswer> {
    const token = (this.#next++).toString(36);
    const its = headers();
    for (const [name, value] of Object.entries(fields)) its.set(name, value);
    return new Promise((resolve) => {
      this.#waiting.set(token, { dueMs: performance.now() + TIMEOUT_MS, resolve });
      this.#timer ??= this.#wakeIn(TIMEOUT_MS);
      try {
        this.#listen();
        this.#connection.publish(subject, data, { reply: `${this.#inbox}.${token}`, headers: its });
      } catch {
        // The connection is closed: nothing was sent, which is what silence may mean too.
        this.#end(token, SILENT);
      }
    });
  }

  /** When something is first published: who only reads hears nothing. */
  #listen(): void {
    if (this.#isListening) return;
    this.#connection.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (error === null) this.#end(message.subject.slice(this.#inbox.length + 1), answerOf(message));
      },
    });
    this.#isListening = true;
    void this.#connection.closed().then(() => this.#silence(Number.POSITIVE_INFINITY));
  }

  #end(token: string, answer: StreamAnswer): void {
    this.#waiting.get(token)?.resolve(answer);
    this.#waiting.delete(token);
  }

  #wakeIn(ms: number): NodeJS.Timeout {
    // The connection keeps the process, not this.
    return setTimeout(() => {
      this.#silence(performance.now());
      const [first] = this.#waiting.values();
      this.#timer = first === undefined ? undefined : this.#wakeIn(Math.max(1, first.dueMs - performance.now()));
    }, ms).unref();
  }

  /** Gives up those that are due by then. */
  #silence(nowMs: number): void {
    for (const [token, { dueMs }] of this.#waiting) {
      if (dueMs > nowMs) return;
      this.#end(token, SILENT);
    }
  }
}

const publishers = new WeakMap<NatsConnection, StreamPublisher>();

/** The one of a connection. */
export function publisherOn(connection: NatsConnection): StreamPublisher {
  const publisher = publishers.get(connection) ?? new StreamPublisher(connection);
  publishers.set(connection, publisher);
  return publisher;
}
