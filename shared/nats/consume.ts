import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Consumer, ConsumerMessages, JsMsg } from '@nats-io/jetstream';
import { LRUCache } from 'lru-cache';
import { backoffMs, delay } from '../async/delay.ts';
import { FairSlots } from '../async/fair-slots.ts';
import { KeyedQueue } from '../async/keyed-queue.ts';
import { OnceAMinute, reasonOf } from '../async/once-a-minute.ts';
import { IsomorphError, toFault, unreachable } from '../errors/isomorph-error.ts';
import { type ConsumeOptions, PREFETCH } from './consume-options.ts';
import { type Disposition, giveUp } from './disposition.ts';
import { Held } from './held.ts';
import { openConsumer, unanswered } from './open-consumer.ts';

/** For how long a message has been stored, in seconds. @param nowMs by the clock of the server */
export const ageS = ({ info }: JsMsg, nowMs: number): number =>
  Math.round(nowMs / 1_000 - info.timestampNanos / 1_000_000_000);

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
    this.#slots = new FairSlots(options.concurrency, { firstsAreFree: options.slotWaitMs === undefined });
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
      .run(key, () => this.#inSlot(message, whose))
      .catch((error: unknown) => this.#tell('a message could not be answered', error))
      .finally(() => {
        clearInterval(heartbeat);
        this.#running.delete(task);
        letGo();
        this.#madeRoom();
      });
    this.#running.add(task);
  }

  async #inSlot(message: JsMsg, whose: string): Promise<void> {
    const { slotWaitMs } = this.#options;
    const giveBack = await this.#slots.take(
      whose,
      slotWaitMs === undefined ? undefined : AbortSignal.timeout(slotWaitMs),
    );
    if (giveBack === undefined) return message.nak();
    try {
      await this.#handle(message);
    } finally {
      giveBack();
    }
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
