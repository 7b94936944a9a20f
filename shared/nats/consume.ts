import { type Consumer, type ConsumerInfo, type ConsumerMessages, type JsMsg, jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { LRUCache } from 'lru-cache';
import pLimit, { type LimitFunction } from 'p-limit';
import type { Logger } from 'pino';
import { backoffMs, delay } from '../async/delay.ts';
import { KeyedQueue } from '../async/keyed-queue.ts';
import { type Fault, IsomorphError, toFault, unreachable } from '../errors/isomorph-error.ts';

/** What becomes of a message. */
export type Disposition =
  /** Everything it caused is stored. */
  | { readonly kind: 'done' }
  /** Not yet: deliver it again after `delayMs`. */
  | { readonly kind: 'later'; readonly delayMs: number }
  | Dead;

/** Never: what is known of the message is kept with the reason. */
export interface Dead {
  readonly kind: 'dead';
  readonly fault: Fault;
  readonly planId?: string;
}

export const DONE: Disposition = { kind: 'done' };

/** A message that will never be handled, filed under its plan when it names one. */
export const dead = (reason: Fault, planId?: string): Dead => ({
  kind: 'dead',
  fault: reason,
  ...(planId === undefined ? {} : { planId }),
});

/** For how long a message has been stored, in seconds, by the clock of this process. */
export const ageS = ({ info }: JsMsg): number => Math.round(Date.now() / 1_000 - info.timestampNanos / 1_000_000_000);

export interface ConsumeOptions {
  readonly connection: NatsConnection;
  readonly consumer: { readonly stream: string; readonly durable: string };
  readonly log: Logger;
  /** Messages of one key are handled one after another, in order. */
  keyOf(message: JsMsg): string;
  /** The plan that a message speaks of: its dead letter is filed there, whatever killed it. Default: none is known. */
  planOf?(message: JsMsg): string | undefined;
  /** Handlers at once. */
  readonly concurrency: number;
  /** Messages held at once; those above `concurrency` wait here, where no other instance can take them. */
  readonly prefetch?: number;
  /** Told of every message as it comes, before it waits for anything. */
  delivered?(message: JsMsg): void;
  /** Told of every message that is done or dead, before the server is: it will be delivered again at most by mistake. */
  answered?(message: JsMsg): void;
  /** Ends with the consumer: a handler that waits must give up then. */
  handle(message: JsMsg, signal: AbortSignal): Promise<Disposition>;
  /** Keeps what can never be handled; the message is ended once this resolves. */
  bury(message: JsMsg, given: Dead): Promise<void>;
}

export interface Consumption {
  /** Takes no more messages, waits for the handlers under way, then resolves. */
  stop(): Promise<void>;
}

const RETRY = { baseMs: 200, maxMs: 15_000 } as const;

/** A defect is not cured by repetition; what waits for a server is. */
const MAX_DEFECTS = 8;
/** Of so many messages the defects are remembered; of those that others finish nobody tells us. */
const REMEMBERED = 10_000;

const NS_PER_MS = 1_000_000;
/** What the server waits for an acknowledgement when the consumer does not say. */
const DEFAULT_ACK_WAIT_NS = 30_000 * NS_PER_MS;

class Loop {
  readonly #options: ConsumeOptions;
  readonly #queue = new KeyedQueue();
  /** Long handlers tell the server so, well before it would deliver the message to another. */
  readonly #heartbeatMs: number;
  readonly #limit: LimitFunction;
  readonly #abort = new AbortController();
  readonly #running = new Set<Promise<void>>();
  /** Defects by sequence. Deliveries do not tell them: most may have waited for a server. */
  readonly #defects = new LRUCache<number, number>({ max: REMEMBERED });
  #messages: ConsumerMessages | undefined;
  #loop: Promise<void> | undefined;

  constructor(options: ConsumeOptions, ackWaitNs: number) {
    this.#options = options;
    this.#heartbeatMs = Math.floor(ackWaitNs / NS_PER_MS / 4);
    this.#limit = pLimit(options.concurrency);
  }

  start(consumer: Consumer): void {
    this.#loop = this.#pull(consumer);
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    this.#messages?.stop();
    await this.#loop;
    await Promise.all(this.#running);
  }

  /** The client ends its iterator on some server restarts; a service must go on. */
  async #pull(consumer: Consumer): Promise<void> {
    const { log, consumer: spec } = this.#options;
    for (let round = 0; !this.#abort.signal.aborted; round++) {
      try {
        this.#messages = await consumer.consume({
          max_messages: this.#options.prefetch ?? 256,
          expires: 10_000,
          idle_heartbeat: 5_000,
        });
        if (this.#abort.signal.aborted) this.#messages.stop();
        for await (const message of this.#messages) {
          round = 0;
          this.#accept(message);
        }
      } catch (error) {
        log.warn({ err: error, consumer: spec.durable }, 'consuming was interrupted');
      }
      await delay(backoffMs(round, { ...RETRY, random: Math.random }), this.#abort.signal).catch(() => undefined);
    }
  }

  #accept(message: JsMsg): void {
    this.#options.delivered?.(message);
    const key = this.#options.keyOf(message);
    const heartbeat = setInterval(() => message.working(), this.#heartbeatMs);
    const task = this.#queue
      .run(key, () => this.#limit(() => this.#handle(message)))
      .catch((error: unknown) => this.#options.log.error({ err: error }, 'a message could not be answered'))
      .finally(() => {
        clearInterval(heartbeat);
        this.#running.delete(task);
      });
    this.#running.add(task);
  }

  async #handle(message: JsMsg): Promise<void> {
    if (this.#abort.signal.aborted) return message.nak();
    const disposition = await this.#judge(message);
    switch (disposition.kind) {
      case 'done':
        this.#answered(message);
        // Confirmed: an unconfirmed ack that is lost makes the handler run again long after.
        await message.ackAck();
        return;
      case 'later':
        message.nak(disposition.delayMs);
        return;
      case 'dead': {
        const { fault, planId = this.#options.planOf?.(message) } = disposition;
        // Who sent it listens for the refusals of its plan.
        await this.#options.bury(message, dead(fault, planId));
        this.#answered(message);
        message.term(fault.code);
        return;
      }
      default:
        return unreachable(disposition);
    }
  }

  #countDefect(seq: number): number {
    const defects = (this.#defects.get(seq) ?? 0) + 1;
    this.#defects.set(seq, defects);
    return defects;
  }

  #answered(message: JsMsg): void {
    this.#defects.delete(message.seq);
    this.#options.answered?.(message);
  }

  async #judge(message: JsMsg): Promise<Disposition> {
    const { log, handle } = this.#options;
    try {
      return await handle(message, this.#abort.signal);
    } catch (error) {
      if (this.#abort.signal.aborted) return { kind: 'later', delayMs: 0 };
      const { seq, subject } = message;
      const deliveries = message.info.deliveryCount;
      const passing = error instanceof IsomorphError && error.retryable;
      log.warn({ err: error, subject, seq, deliveries, age_s: ageS(message) }, 'handling failed');
      if (!passing && this.#countDefect(seq) >= MAX_DEFECTS) return dead(toFault(error));
      return { kind: 'later', delayMs: backoffMs(deliveries - 1, { ...RETRY, random: Math.random }) };
    }
  }
}

/**
 * Pulls, hands each message to `handle` and answers it: the one loop of all services. A message is acked only after
 * its handler is done, and delivered again when this process dies first.
 * @throws ERR_UNAVAILABLE when the consumer does not exist: the topology was not set up.
 */
export async function consume(options: ConsumeOptions): Promise<Consumption> {
  const { stream, durable } = options.consumer;
  let consumer: Consumer;
  let info: ConsumerInfo;
  try {
    consumer = await jetstream(options.connection).consumers.get(stream, durable);
    info = await consumer.info(true);
  } catch (error) {
    throw new IsomorphError('ERR_UNAVAILABLE', `no consumer ${durable} on ${stream}`, {}, error);
  }
  const loop = new Loop(options, info.config.ack_wait ?? DEFAULT_ACK_WAIT_NS);
  loop.start(consumer);
  return loop;
}
