import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { COMMITTED_LEDGER } from '../../shared/wire/ledger.ts';

/** What arrives while we wait is taken in together. */
const LINGER_MS = 10;

/** Without a word the stream is looked at after this long, growing: the word for a message may have been lost. */
const IDLE_MS = { first: 20, longest: 1_000 } as const;

/**
 * Says when to look for new messages: soon after the ledger stream repeated one, else now and then. A subscription is
 * only a hint here, so that nothing depends on its being complete.
 */
export class Waker {
  readonly #subscription: Subscription;
  readonly #statuses: AsyncIterable<{ readonly type: string }>;
  #idleMs: number = IDLE_MS.first;
  #woken = false;
  #wake: () => void = () => undefined;
  #reconnected = false;
  readonly #onDisturbance = new Set<() => void>();
  #closed = false;

  constructor(connection: NatsConnection) {
    this.#subscription = connection.subscribe(COMMITTED_LEDGER, { callback: () => this.#onWord() });
    this.#statuses = connection.status();
    void this.#watchConnection();
  }

  /** Something was found: more may come soon. */
  progressed(): void {
    this.#idleMs = IDLE_MS.first;
  }

  /** Whether the connection was lost and came back since this was last asked: the server may have lost its state. */
  takeReconnected(): boolean {
    const reconnected = this.#reconnected;
    this.#reconnected = false;
    return reconnected;
  }

  /** Resolves when it is time to look, or when `signal` is aborted. */
  async wait(signal: AbortSignal): Promise<void> {
    if (!this.#woken) await this.#pause(this.#idleMs, signal, true);
    this.#idleMs = Math.min(IDLE_MS.longest, this.#idleMs * 2);
    if (!this.#woken) return;
    await this.#pause(LINGER_MS, signal, false);
    this.#woken = false;
  }

  /**
   * The same items, but an answer is not waited for any longer once the connection was lost or `signal` is aborted.
   * @throws ERR_UNAVAILABLE then
   */
  async *untilDisturbed<T>(items: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
    const iterator = items[Symbol.asyncIterator]();
    for (;;) {
      const next = await this.#orDisturbance(iterator.next(), signal);
      if (next.done) return;
      yield next.value;
    }
  }

  close(): void {
    this.#closed = true;
    this.#subscription.unsubscribe();
  }

  #onWord(): void {
    this.#woken = true;
    this.#wake();
  }

  #pause(ms: number, signal: AbortSignal, untilWord: boolean): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        this.#wake = () => undefined;
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal.addEventListener('abort', end);
      if (signal.aborted) end();
      if (untilWord) this.#wake = end;
    });
  }

  #orDisturbance<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      const disturb = () => reject(new IsomorphError('ERR_UNAVAILABLE', 'the connection was lost while reading'));
      this.#onDisturbance.add(disturb);
      signal.addEventListener('abort', disturb);
      if (signal.aborted) disturb();
      void answer.then(resolve, reject).finally(() => {
        this.#onDisturbance.delete(disturb);
        signal.removeEventListener('abort', disturb);
      });
    });
  }

  async #watchConnection(): Promise<void> {
    for await (const { type } of this.#statuses) {
      if (this.#closed) return;
      if (type === 'reconnect') this.#reconnected = true;
      if (type === 'reconnect' || type === 'disconnect') for (const disturb of this.#onDisturbance) disturb();
    }
  }
}
