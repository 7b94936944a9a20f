import { randomUUID } from 'node:crypto';
import { type JetStreamClient, jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { Counts } from '../../shared/async/counts.ts';
import { backoffMs, delay } from '../../shared/async/delay.ts';
import { Turns } from '../../shared/async/turns.ts';
import type { FactSink, ScratchFact } from '../../shared/scratch/facts.ts';
import { factSubject } from '../../shared/wire/facts.ts';

export interface NatsFactSinkOptions {
  /** Facts held while the server is slow or away; more are dropped, those of the plan that has most. Default 10,000. */
  readonly capacity?: number;
  /** How often a fact is sent before it is dropped. Default 5. */
  readonly attempts?: number;
}

const IN_FLIGHT = 64;
const BACKOFF = { baseMs: 100, maxMs: 5_000, random: Math.random };

/**
 * Sends facts to the stream FACTS, on `facts.<plan>.<kind>`, for the sampler. `emit` only puts them down: a few senders
 * work them off in the background. Each carries an id, so that sending it again stores it once.
 */
export class NatsFactSink implements FactSink {
  readonly #stream: JetStreamClient;
  readonly #capacity: number;
  readonly #attempts: number;
  /** By plan: they take turns. */
  readonly #waiting = new Turns<ScratchFact>();
  readonly #counts = new Counts();
  readonly #senders = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  #dropped = 0;

  constructor(connection: NatsConnection, { capacity = 10_000, attempts = 5 }: NatsFactSinkOptions = {}) {
    this.#stream = jetstream(connection);
    this.#capacity = capacity;
    this.#attempts = attempts;
  }

  get dropped(): number {
    return this.#dropped;
  }

  emit(fact: ScratchFact): void {
    if (this.#closing.signal.aborted || !this.#hasRoom(fact.planId)) {
      this.#dropped++;
      return;
    }
    this.#waiting.add(fact.planId, fact);
    this.#counts.add(fact.planId);
    if (this.#senders.size >= IN_FLIGHT) return;
    const sender: Promise<void> = this.#work().finally(() => this.#senders.delete(sender));
    this.#senders.add(sender);
  }

  async flush(): Promise<void> {
    while (this.#senders.size > 0) await Promise.all(this.#senders);
  }

  /** Sends what it can, once more each; what cannot be sent is dropped. The connection stays open. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.flush();
  }

  async #work(): Promise<void> {
    // Not in the turn of the operation that emits.
    await Promise.resolve();
    for (let next = this.#waiting.next(); next !== undefined; next = this.#waiting.next()) {
      this.#counts.remove(next.whose);
      if (!(await this.#send(next.one))) this.#dropped++;
    }
  }

  /** Where there is none, the plan with most facts waiting makes it: it drops its newest. False for that plan itself. */
  #hasRoom(planId: string): boolean {
    if (this.#counts.all < this.#capacity) return true;
    const most = this.#counts.most;
    if (most === undefined || this.#counts.of(most) <= this.#counts.of(planId) + 1) return false;
    this.#waiting.dropNewest(most);
    this.#counts.remove(most);
    this.#dropped++;
    return true;
  }

  async #send({ planId, kind, data }: ScratchFact): Promise<boolean> {
    const body = JSON.stringify({ kind, data });
    const msgID = randomUUID();
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#stream.publish(factSubject(planId, kind), body, { msgID });
        return true;
      } catch {
        // Audit never fails what it watches: what cannot be stored is counted in `dropped`.
        if (attempt >= this.#attempts || this.#closing.signal.aborted) return false;
        await delay(backoffMs(attempt - 1, BACKOFF), this.#closing.signal).catch(() => undefined);
      }
    }
  }
}
