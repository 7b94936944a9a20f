import { LRUCache } from 'lru-cache';
import { isNotFound, toModalError } from '../../../../providers/modal/account.ts';
import { objectName, partitionOf } from '../../../../providers/modal/names.ts';
import { isQueueEmpty, isQueueFull, type ModalSdk, type SdkQueue } from '../../../../providers/modal/sdk.ts';
import { readTicket, type Ticket, writeTicket } from './message.ts';

const KNOWN_QUEUES = 1_000;
/** The SDK's put repeats on a full partition for ever unless it has a limit; a ticket is not worth waiting for. */
const PUT_LIMIT_MS = 1;

/**
 * Wake-up tickets on a modal.Queue a plan, a partition a topic. They make consumers find messages at once; nothing is lost with
 * one (a full partition, a lost answer, a killed consumer), since the Dict is looked through as well.
 */
export class Tickets {
  readonly #sdk: ModalSdk;
  readonly #environment: string;
  readonly #queues = new LRUCache<string, Promise<SdkQueue>>({ max: KNOWN_QUEUES });

  constructor(sdk: ModalSdk, environment: string) {
    this.#sdk = sdk;
    this.#environment = environment;
  }

  /** Announces a delivery that can be claimed; does without when Modal is not there or the partition is full. */
  async put(planId: string, topic: string, ticket: Ticket): Promise<void> {
    const params = { timeoutMs: PUT_LIMIT_MS, partition: partitionOf(topic) };
    try {
      const queue = await this.#queue(planId);
      await queue.put(writeTicket(ticket), params);
    } catch (error) {
      this.#queues.delete(planId);
      if (isQueueFull(error) || isNotFound(error)) return;
      const ours = toModalError(error);
      if (ours.code !== 'ERR_UNAVAILABLE') throw ours;
    }
  }

  /** Takes tickets, waiting up to `waitMs` for the first. @throws IsomorphError */
  async take(planId: string, topic: string, count: number, waitMs: number): Promise<Ticket[]> {
    const params = { timeoutMs: waitMs, partition: partitionOf(topic) };
    try {
      const queue = await this.#queue(planId);
      const texts = await queue.getMany(count, params);
      return texts.map(readTicket).filter((ticket) => ticket !== undefined);
    } catch (error) {
      if (isQueueEmpty(error)) return [];
      this.#queues.delete(planId);
      // The plan was purged by somebody else: it has no tickets.
      if (isNotFound(error)) return [];
      throw toModalError(error);
    }
  }

  async purge(planId: string): Promise<void> {
    this.#queues.delete(planId);
    try {
      await this.#sdk.queues.delete(objectName('queue', planId), { allowMissing: true, ...this.#place() });
    } catch (error) {
      throw toModalError(error);
    }
  }

  #queue(planId: string): Promise<SdkQueue> {
    const known = this.#queues.get(planId);
    if (known !== undefined) return known;
    const queue = this.#sdk.queues.fromName(objectName('queue', planId), { createIfMissing: true, ...this.#place() });
    this.#queues.set(planId, queue);
    return queue;
  }

  #place(): { environment?: string } {
    return this.#environment === '' ? {} : { environment: this.#environment };
  }
}
