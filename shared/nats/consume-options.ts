import type { JsMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import type { Dead, Disposition } from './disposition.ts';

export const PREFETCH = 256;

/** What a loop takes, how many at once and whose turn it is, and what becomes of each message. */
export interface ConsumeOptions {
  readonly connection: NatsConnection;
  readonly consumer: { readonly stream: string; readonly durable: string };
  readonly log: Logger;
  /** The clock of the server, for the age of messages; default: that of this machine. */
  readonly nowMs?: () => number;
  /** Messages of one key are handled one after another, in order. */
  keyOf(message: JsMsg): string;
  /** The plan that a message speaks of: its dead letter is filed there, whatever killed it. Default: none is known. */
  planOf?(message: JsMsg): string | undefined;
  /**
   * Whose message it is, where handlers are shared by many: each has one at once however many messages of others wait, and
   * the rest take turns. Default: all are of one.
   */
  whoseOf?(message: JsMsg): string | Promise<string>;
  /**
   * Messages of one are handed back beyond their share only where one of them is held for so long, which costs them time. Default:
   * at once.
   */
  readonly slowMs?: number;
  /** Whether other messages of the same wait for this one, which is then no more than its share. Default: none does. */
  isAwaited?(message: JsMsg): boolean;
  /** Handlers at once; beyond them each of those whose messages they are has its first, unless `slotWaitMs` is given. */
  readonly concurrency: number;
  /**
   * For handlers that take long: there are never more than `concurrency`, and a message that waits here for so long is handed back,
   * so that another instance may have it.
   */
  readonly slotWaitMs?: number;
  /**
   * Messages held unanswered at once, {@link PREFETCH} by default; those above `concurrency` wait here, where no other
   * instance can take them. After a lost connection the client may ask once more for what it had asked for.
   */
  readonly prefetch?: number;
  /** A message that has waited longer than this for what may pass is given up. Default: none is. */
  readonly patienceS?: number;
  /** Told of every message as it comes, before it waits for anything. */
  delivered?(message: JsMsg): void;
  /** Told of every message that is done or dead, before the server is: it will be delivered again at most by mistake. */
  answered?(message: JsMsg): void;
  /** Ends with the consumer: a handler that waits must give up then. */
  handle(message: JsMsg, signal: AbortSignal): Promise<Disposition>;
  /**
   * Makes the consumer anew, which is gone; without it a loop waits until somebody else does.
   * @param reachedSeq the first message of the stream that this loop has not finished; undefined when it had none yet
   */
  remake?(reachedSeq: number | undefined): Promise<void>;
  /** Told when the consumer was found again after an interruption. */
  reopened?(): void;
  /** Keeps what can never be handled; the message is ended once this resolves. */
  bury(message: JsMsg, given: Dead): Promise<void>;
}
