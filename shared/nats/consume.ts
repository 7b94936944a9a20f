import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Consumer, ConsumerMessages, JsMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import { backoffMs, delay } from '../async/delay.ts';
import { FairSlots } from '../async/fair-slots.ts';
import { KeyedQueue } from '../async/keyed-queue.ts';
import { OnceAMinute, reasonOf } from '../async/once-a-minute.ts';
import { IsomorphError, toFault, unreachable } from '../errors/isomorph-error.ts';
import { type Dead, type Disposition, giveUp } from './disposition.ts';
import { Held } from './held.ts';
import { openConsumer, unanswered } from './open-consumer.ts';

/** For how long a message has been stored, in seconds. @param nowMs by the clock of the server */
export const ageS = ({ info }: JsMsg, nowMs: number): number =>
  Math.round(nowMs / 1_000 - info.timestampNanos / 1_000_000_000);

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
  /** Handlers at once; beyond them each of those whose messages they are has its first. */
  readonly concurrency: number;
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

export interface Consumption {
  /** Takes no more messages, waits for the handlers under way, then resolves. */
  stop(): Promise<void>;
}

const PREFETCH = 256;

const RETRY = { baseMs: 200, maxMs: 15_000 } as const;

/** A defect is not cured by repetition; what waits for a server is. */
const MAX_DEFECTS = 8;
/** Of so many messages the defects are remembered; of those that others finish nobody tells us. */
const REMEMBERED = 10_000;

const NS_PER_MS = 1_000_000;
/** What the server waits for an acknowledgement when the consumer does not say. */
const DEFAULT_ACK_WAIT_NS = 30_000 * NS_PER_MS;

const againMs = ({ info }: JsMsg): number => backoffMs(info.deliveryCount - 1, { ...RETRY, random: Math.random });

class Loop {
  readonly #options: ConsumeOptions;
  readonly #queue = new KeyedQueue();
  /** Long handlers tell the server so, well before it would deliver the message to another. */
  readonly #heartbeatMs: number;
  readonly #slots: FairSlots;
  readonly #abort = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #held: Held;
  /** Defects by sequence. Deliveries do not tell them: most may have waited for a server. */
  readonly #defects = new LRUCache<number, number>({ max: REMEMBERED });
  readonly #often = new OnceAMinute();
  readonly #unfinished = new LRUCache<number, true>({ max: REMEMBERED });
  #nextSeq: number | undefined;
  #messages: ConsumerMessages | undefined;
  #loop: Promise<void> | undefined;
  /** Called when a message was answered, and when the loop ends. */
  #madeRoom: () => void = () => undefined;

  constructor(options: ConsumeOptions, ackWaitNs: number) {
    this.#options = options;
    this.#heartbeatMs = Math.floor(ackWaitNs / NS_PER_MS / 4);
    this.#slots = new FairSlots(options.concurrency);
    this.#held = new Held(options.prefetch ?? PREFETCH, options.slowMs);
  }

  start(consumer: Consumer): void {
    this.#loop = this.#pull(consumer);
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    this.#messages?.stop();
    this.#madeRoom();
    await this.#loop;
    await Promise.all(this.#running);
  }

  /** The client ends its iterator on some server restarts, and when the consumer is gone; a service must go on. */
  async #pull(found: Consumer): Promise<void> {
    let consumer = found;
    for (let round = 0; !this.#abort.signal.aborted; round++) {
      try {
        if (round > 0) {
          consumer = await openConsumer(this.#options, this.#reachedSeq());
          this.#options.reopened?.();
        }
        while (await this.#hasRoom()) {
          for await (const message of await this.#ask(consumer)) {
            round = 0;
            await this.#accept(message);
          }
          round = 0;
        }
      } catch (error) {
        this.#tell('consuming was interrupted', error);
      }
      await delay(backoffMs(round, { ...RETRY, random: Math.random }), this.#abort.signal).catch(() => undefined);
    }
  }

  /** Resolves once there is room for a message, or with false when the loop ends: nothing is asked for then. */
  async #hasRoom(): Promise<boolean> {
    while (this.#held.room(performance.now()) <= 0 && !this.#abort.signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#madeRoom = resolve;
        // What is slow by then leaves room for others.
        if (this.#options.slowMs !== undefined) setTimeout(resolve, this.#options.slowMs).unref();
      });
    }
    return !this.#abort.signal.aborted;
  }

  /**
   * Asks for as many messages as there is room for: what is asked for and what is held are never more than the prefetch
   * together. While any of them is outstanding the server sends the next message at once.
   */
  async #ask(consumer: Consumer): Promise<ConsumerMessages> {
    const room = Math.max(1, this.#held.room(performance.now()));
    const messages = await consumer.fetch({ max_messages: room, expires: 10_000, idle_heartbeat: 5_000 });
    this.#messages = messages;
    if (this.#abort.signal.aborted) messages.stop();
    return messages;
  }

  /** Once a minute for each reason: what a server that is away does to one message it does to all. */
  #tell(what: string, error: unknown, more: object = {}): void {
    const { log, consumer } = this.#options;
    const times = this.#often.due(`${what} ${reasonOf(error)}`);
    if (times !== undefined) log.warn({ err: error, consumer: consumer.durable, ...more, times }, what);
  }

  /** Undefined before the first message. */
  #reachedSeq(): number | undefined {
    return this.#unfinished.size === 0 ? this.#nextSeq : Math.min(...this.#unfinished.keys());
  }

  async #accept(message: JsMsg): Promise<void> {
    this.#options.delivered?.(message);
    this.#unfinished.set(message.seq, true);
    this.#nextSeq = Math.max(this.#nextSeq ?? 0, message.seq + 1);
    const { whoseOf, isAwaited } = this.#options;
    const whose = whoseOf === undefined ? '' : await whoseOf(message);
    const isTooMany = (): boolean => this.#held.isTooMany(whose, isAwaited?.(message) === true, performance.now());
    if (whoseOf !== undefined && isTooMany()) message.nak(againMs(message));
    else this.#hold(message, whose);
  }

  #hold(message: JsMsg, whose: string): void {
    const letGo = this.#held.hold(whose, performance.now());
    const key = this.#options.keyOf(message);
    // A handler that outlives its service must not keep the process.
    const heartbeat = setInterval(() => message.working(), this.#heartbeatMs).unref();
    const task = this.#queue
      .run(key, () => this.#slots.run(whose, () => this.#handle(message)))
      .catch((error: unknown) => this.#tell('a message could not be answered', error))
      .finally(() => {
        clearInterval(heartbeat);
        this.#running.delete(task);
        letGo();
        this.#madeRoom();
      });
    this.#running.add(task);
  }

  async #handle(message: JsMsg): Promise<void> {
    // Else handlers that wait for nothing follow one another while signals, timers and all other messages are not heard.
    if (!this.#abort.signal.aborted) await nextTurn();
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
        await this.#options.bury(message, giveUp(fault, planId));
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
    this.#unfinished.delete(message.seq);
    this.#options.answered?.(message);
  }

  async #judge(message: JsMsg): Promise<Disposition> {
    const { log, handle, nowMs = Date.now, patienceS = Number.POSITIVE_INFINITY } = this.#options;
    try {
      return await handle(message, this.#abort.signal);
    } catch (error) {
      if (this.#abort.signal.aborted) return { kind: 'later', delayMs: 0 };
      const { seq, subject } = message;
      const deliveries = message.info.deliveryCount;
      const passing = error instanceof IsomorphError && error.retryable && error.code !== 'ERR_INTERNAL';
      const about = { subject, seq, deliveries, age_s: ageS(message, nowMs()) };
      if (passing) this.#tell('handling failed', error, about);
      else log.warn({ err: error, ...about }, 'handling failed');
      if (!passing && this.#countDefect(seq) >= MAX_DEFECTS) return giveUp(toFault(error));
      if (about.age_s > patienceS) return giveUp(toFault(error));
      return { kind: 'later', delayMs: againMs(message) };
    }
  }
}

/**
 * Pulls, hands each message to `handle` and answers it: the one loop of all services. A message is acked only after
 * its handler is done, and delivered again when this process dies first.
 * @throws ERR_UNAVAILABLE when the consumer does not exist: the topology was not set up.
 */
export async function consume(options: ConsumeOptions): Promise<Consumption> {
  const { stream } = options.consumer;
  const consumer = await openConsumer(options, undefined);
  const info = await consumer.info(true).catch((error: unknown) => Promise.reject(unanswered(stream, error)));
  const loop = new Loop(options, info.config.ack_wait ?? DEFAULT_ACK_WAIT_NS);
  loop.start(consumer);
  return loop;
}
