import { randomUUID } from 'node:crypto';
import type { QueueMessage } from '../queue.ts';
import { badReceipt } from '../topic.ts';

export interface StoredMessage {
  readonly id: string;
  readonly body: Uint8Array;
  readonly deadReason: string | undefined;
  deliveries: number;
  state: 'ready' | 'delayed' | 'leased' | 'gone';
  /** When a delayed or leased message becomes ready; also tells a timer entry that it is out of date. */
  dueMs: number;
}

interface Timer {
  readonly dueMs: number;
  readonly message: StoredMessage;
}

/** The messages of one topic. Time passes when somebody looks: what is due becomes ready then. */
export class MemoryTopic {
  readonly #messages = new Map<string, StoredMessage>();
  /** A set keeps the order in which they became ready. */
  readonly #ready = new Set<StoredMessage>();
  /** A binary heap, the earliest first. Entries of messages that moved on meanwhile are skipped. */
  readonly #timers: Timer[] = [];
  readonly #remembered = new Map<string, { readonly id: string; readonly untilMs: number }>();
  readonly #waiting = new Set<() => void>();

  get size(): number {
    return this.#messages.size;
  }

  add(message: { id?: string; body: Uint8Array; delayMs: number; deadReason?: string }): string {
    const { id = randomUUID(), body, delayMs, deadReason } = message;
    const stored: StoredMessage = { id, body, deadReason, deliveries: 0, state: 'gone', dueMs: 0 };
    this.#messages.set(id, stored);
    this.release(stored, delayMs);
    return id;
  }

  takeReady(): StoredMessage | undefined {
    this.#promoteDue();
    const [first] = this.#ready;
    if (first !== undefined) this.#ready.delete(first);
    return first;
  }

  /** Of a message that `takeReady` gave. */
  lease(message: StoredMessage, visibilityMs: number): QueueMessage {
    message.deliveries++;
    this.#wait(message, 'leased', visibilityMs);
    const { id, body, deliveries, deadReason } = message;
    const receiptHandle = `${deliveries}.${id}`;
    return {
      id,
      body: body.slice(),
      receiptHandle,
      deliveries,
      ...(deadReason === undefined ? {} : { deadReason }),
    };
  }

  /** The message that a receipt names, while its delivery is current. @throws ERR_RECEIPT */
  leased(receiptHandle: string): StoredMessage {
    this.#promoteDue();
    const [, deliveries = '', id = ''] = /^(\d+)\.(.+)$/.exec(receiptHandle) ?? [];
    const message = this.#messages.get(id);
    if (message?.state === 'leased' && message.deliveries === Number(deliveries)) return message;
    throw badReceipt('has expired, was used, or belongs to another topic');
  }

  release(message: StoredMessage, delayMs: number): void {
    if (delayMs > 0) this.#wait(message, 'delayed', delayMs);
    else {
      message.state = 'ready';
      this.#ready.add(message);
    }
    this.#wake();
  }

  remove(message: StoredMessage): void {
    message.state = 'gone';
    this.#messages.delete(message.id);
  }

  clear(): void {
    for (const message of this.#messages.values()) message.state = 'gone';
    this.#messages.clear();
    this.#ready.clear();
    this.#remembered.clear();
    this.#timers.length = 0;
    this.#wake();
  }

  rememberedId(key: string): string | undefined {
    const known = this.#remembered.get(key);
    return known !== undefined && known.untilMs > Date.now() ? known.id : undefined;
  }

  remember(key: string, id: string, forMs: number): void {
    const nowMs = Date.now();
    // Insertion order is the order of expiry, since every key is kept for the same time.
    for (const [old, { untilMs }] of this.#remembered) {
      if (untilMs > nowMs) break;
      this.#remembered.delete(old);
    }
    this.#remembered.delete(key);
    this.#remembered.set(key, { id, untilMs: nowMs + forMs });
  }

  counts(): { ready: number; inFlight: number; delayed: number } {
    this.#promoteDue();
    const counts = { ready: 0, inFlight: 0, delayed: 0 };
    for (const { state } of this.#messages.values()) {
      if (state === 'ready') counts.ready++;
      else if (state === 'leased') counts.inFlight++;
      else if (state === 'delayed') counts.delayed++;
    }
    return counts;
  }

  /** Resolves when a message may have become ready, after `atMostMs`, or when `signal` is aborted. */
  changed(atMostMs: number, signal: AbortSignal): Promise<void> {
    const nextDueMs = Math.max(1, (this.#timers[0]?.dueMs ?? Infinity) - Date.now());
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, Math.min(atMostMs, nextDueMs));
      this.#waiting.add(done);
      signal.addEventListener('abort', done);
    });
  }

  #wake(): void {
    for (const done of [...this.#waiting]) done();
  }

  #wait(message: StoredMessage, state: 'delayed' | 'leased', ms: number): void {
    message.state = state;
    message.dueMs = Date.now() + ms;
    push(this.#timers, { dueMs: message.dueMs, message });
  }

  #promoteDue(): void {
    const nowMs = this.#timers.length === 0 ? 0 : Date.now();
    for (let next = this.#timers[0]; next !== undefined && next.dueMs <= nowMs; next = this.#timers[0]) {
      pop(this.#timers);
      const { message, dueMs } = next;
      if (message.dueMs !== dueMs || (message.state !== 'delayed' && message.state !== 'leased')) continue;
      message.state = 'ready';
      this.#ready.add(message);
    }
  }
}

function push(heap: Timer[], timer: Timer): void {
  let index = heap.length;
  while (index > 0) {
    const parentIndex = (index - 1) >> 1;
    const parent = heap[parentIndex];
    if (parent === undefined || parent.dueMs <= timer.dueMs) break;
    heap[index] = parent;
    index = parentIndex;
  }
  heap[index] = timer;
}

function pop(heap: Timer[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let index = 0;
  for (;;) {
    const leftIndex = 2 * index + 1;
    const [left, right] = [heap[leftIndex], heap[leftIndex + 1]];
    if (left === undefined) break;
    const [child, childIndex] =
      right !== undefined && right.dueMs < left.dueMs ? [right, leftIndex + 1] : [left, leftIndex];
    if (child.dueMs >= last.dueMs) break;
    heap[index] = child;
    index = childIndex;
  }
  heap[index] = last;
}
