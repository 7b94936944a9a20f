import pLimit from 'p-limit';
import type { ModalDict } from '../../../../providers/modal/dict.ts';
import { newOperationId } from '../../../../providers/modal/names.ts';
import { isUnavailable } from '../../../../providers/modal/sdk.ts';
import type { DeadLettered, QueueDriver, QueueMessage } from '../../queue.ts';
import { deadTopic } from '../../topic.ts';
import { bodyOf, type ModalMessage, messageKey, parseMessage, type Ticket, writeHandle } from './message.ts';
import type { Tickets } from './tickets.ts';
import type { ModalTopic } from './topic.ts';

const PARALLEL = 16;
/** After so many tickets in a row that others were first at, a look at the Dict is cheaper than the rest of them. */
const MISSES = 8;
const MOST_TICKETS = 100;
/** How long to wait for a ticket before the Dict is looked through again, for what others left behind since. */
const WAIT_MS = { least: 250, most: 1_000 };

type Asked = Parameters<QueueDriver['consume']>[0];

export interface Claims {
  readonly messages: QueueMessage[];
  readonly deadLettered: DeadLettered[];
}

/** The message that an idempotency key stands for: the first that got here. */
export async function firstOfKey(dict: ModalDict, topic: string, k: string, id: string): Promise<string> {
  const key = `i:${topic}:${k}`;
  if (await dict.putIfAbsent(key, id)) return id;
  const first = await dict.get(key);
  return typeof first === 'string' ? first : firstOfKey(dict, topic, k, id);
}

/** Finds deliveries and makes them a consumer's; buries what was delivered too often. */
export class Claimer {
  readonly #tickets: Tickets;

  constructor(tickets: Tickets) {
    this.#tickets = tickets;
  }

  async consume(topic: ModalTopic, asked: Asked): Promise<Claims> {
    const { planId, visibilityMs, waitMs } = asked;
    const claims: Claims = { messages: [], deadLettered: [] };
    const isWithScan = topic.isScanDue(visibilityMs);
    try {
      if (isWithScan) await this.#scan(topic, claims);
      if (topic.leases.isLookDue(visibilityMs)) await topic.takeOver(await topic.leases.look());
      topic.takeDue();
      await this.#claimFrom(topic.overdue, topic, asked, claims);
      await this.#claimAnnounced(topic, asked, claims);
      await this.#claimFrom(topic.backlog, topic, asked, claims);
      // Who may wait can leave an expensive scan to the next time.
      const mayScan = waitMs === 0 ? !isWithScan || topic.isStale : topic.isScanAffordable();
      if (claims.messages.length === 0 && mayScan) {
        await this.#scan(topic, claims);
        await this.#claimFrom(topic.overdue, topic, asked, claims);
        await this.#claimFrom(topic.backlog, topic, asked, claims);
      }
      if (claims.messages.length === 0 && waitMs > 0) {
        const untilDueMs = Math.max(0, topic.takeDue() - Date.now());
        const longestMs = Math.min(WAIT_MS.most, Math.max(WAIT_MS.least, visibilityMs / 2));
        const pauseMs = Math.min(waitMs, untilDueMs, longestMs);
        const tickets = await this.#tickets.take(planId, topic.name, asked.maxMessages, pauseMs);
        await this.#claimAll(tickets, topic, asked, claims);
      }
    } catch (error) {
      // What was claimed is this consumer's now: without it the messages would wait for their timeout.
      if (!isUnavailable(error) || claims.messages.length + claims.deadLettered.length === 0) throw error;
    }
    return claims;
  }

  async #scan(topic: ModalTopic, claims: Claims): Promise<void> {
    for (const { id, step } of await topic.scan()) {
      if (step?.is === 'acked') await topic.dict.pop(messageKey(topic.name, id));
      if (step?.is === 'dead' && (await this.bury(topic, id, step.why))) {
        claims.deadLettered.push({ kind: 'deadletter', deliveries: step.d });
      }
    }
  }

  /** Claims by tickets; the more of them are old, the more are taken at once. */
  async #claimAnnounced(topic: ModalTopic, asked: Asked, claims: Claims): Promise<void> {
    for (let misses = 0; misses < MISSES; misses++) {
      const missing = asked.maxMessages - claims.messages.length;
      if (missing === 0) return;
      const count = Math.min(MOST_TICKETS, missing * 2 ** misses);
      const tickets = await this.#tickets.take(asked.planId, topic.name, count, 0);
      if (tickets.length === 0) return;
      const before = claims.messages.length;
      await this.#claimFrom(tickets, topic, asked, claims);
      topic.backlog.unshift(...tickets);
      if (claims.messages.length > before) misses = -1;
    }
  }

  /** Claims from the front of a list until there is enough. Forgets a list that is out of date. */
  async #claimFrom(list: Ticket[], topic: ModalTopic, asked: Asked, claims: Claims): Promise<void> {
    let misses = 0;
    while (list.length > 0 && claims.messages.length < asked.maxMessages) {
      const tickets = list.splice(0, asked.maxMessages - claims.messages.length);
      const before = claims.messages.length;
      await this.#claimAll(tickets, topic, asked, claims);
      misses = claims.messages.length > before ? 0 : misses + tickets.length;
      if (misses >= MISSES && list !== topic.overdue) {
        list.length = 0;
        topic.isStale = true;
      }
    }
  }

  /** Notes what it is about to claim first: a consumer that is killed at any moment after leaves no message that nobody knows of. */
  async #claimAll(tickets: readonly Ticket[], topic: ModalTopic, asked: Asked, claims: Claims): Promise<void> {
    if (tickets.length === 0) return;
    for (const { id, n, d } of tickets)
      topic.leases.add({ id, n: n + 1, d: d + 1, x: Date.now() + asked.visibilityMs });
    await topic.leases.note();
    const limit = pLimit(PARALLEL);
    const outcomes = await Promise.allSettled(
      tickets.map((ticket) =>
        limit(async () => {
          if (!(await this.#claim(ticket, topic, asked, claims))) topic.leases.release(ticket.id, ticket.n + 1);
        }),
      ),
    );
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }

  /** Tries to make one message this consumer's. Others may be first, or the ticket may be old: then nothing happens, and it answers false. */
  async #claim({ id, n, d }: Ticket, topic: ModalTopic, asked: Asked, claims: Claims): Promise<boolean> {
    const cells = topic.cellsOf(id);
    const o = newOperationId();
    if (d >= asked.maxDeliveries) {
      // Only a lease that ran out comes here: a nack would have buried it.
      const { isOurs } = await cells.create(n + 1, { is: 'dead', o, d, why: 'expired' });
      if (isOurs && (await this.bury(topic, id, 'expired'))) {
        claims.deadLettered.push({ kind: 'deadletter', deliveries: d });
      }
      return false;
    }
    const expiresMs = Date.now() + asked.visibilityMs;
    const { isOurs } = await cells.create(n + 1, { is: 'leased', o, d: d + 1, x: expiresMs });
    if (!isOurs) return false;
    const stored = await this.#stored(topic, id);
    if (stored === undefined) {
      // An old ticket of a message that is gone: the step just written belongs to nothing.
      await cells.remove(n + 1);
      return false;
    }
    const delivery = { id, n: n + 1, d: d + 1, o, expiresMs };
    claims.messages.push({
      id,
      body: bodyOf(stored),
      receiptHandle: writeHandle(asked.planId, topic.name, delivery),
      deliveries: d + 1,
      ...(stored.why === undefined ? {} : { deadReason: stored.why }),
    });
    return true;
  }

  /** A message, unless it is gone, or a second one of its idempotency key whose publisher was killed. */
  async #stored(topic: ModalTopic, id: string): Promise<ModalMessage | undefined> {
    const value = await topic.dict.get(messageKey(topic.name, id));
    if (value === undefined) return undefined;
    const stored = parseMessage(value);
    if (stored.k === undefined || (await firstOfKey(topic.dict, topic.name, stored.k, id)) === id) return stored;
    await topic.dict.pop(messageKey(topic.name, id));
    return undefined;
  }

  /** Moves a message whose last step is `dead`. False: it was moved already. */
  async bury(topic: ModalTopic, id: string, why: string): Promise<boolean> {
    const stored = await this.#stored(topic, id);
    if (stored === undefined) return false;
    const { t, b } = stored;
    const content = t === undefined ? { b: b ?? '' } : { t };
    await topic.dict.putIfAbsent(messageKey(deadTopic(topic.name), id), { ...content, why });
    await topic.dict.pop(messageKey(topic.name, id));
    return true;
  }
}
