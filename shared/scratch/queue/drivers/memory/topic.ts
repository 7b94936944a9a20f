import { randomUUID } from 'node:crypto';
import type { QueueMessage } from '../../queue.ts';
import { badReceipt } from '../../topic.ts';

export interface MemoryMessage {
  readonly id: string;
  readonly body: Uint8Array;
  readonly deadReason: string | undefined;
  deliveries: number;
  state: 'ready' | 'delayed' | 'leased' | 'gone';
  /** Counts its changes of state: tells a timer that it is out of date. */
  generation: number;
}

/** Fewer are not worth the walk. */
const MIN_STALE_TIMERS = 1_024;
const PROCESS_ID = randomUUID();
let madeIds = 0;

const newId = (): string => `${PROCESS_ID}-${++madeIds}`;

interface Timer {
  readonly dueMs: number;
  readonly generation: number;
  readonly message: MemoryMessage;
}

/** The messages of one topic. Time passes when somebody looks: what is due becomes ready then. */
export class MemoryTopic {
  readonly #messages = new Map<string, MemoryMessage>();
  /** A set keeps the order in which they became ready. */
  readonly #ready = new Set<MemoryMessage>();
  /** A binary heap, the earliest first. Entries of messages that moved on meanwhile are skipped. */
  #timers: Timer[] = [];
  #staleTimers = 0;
  readonly #remembered = new Map<string, { readonly id: string; readonly untilMs: number }>();
  readonly #waiting = new Set<() => void>();

  get size(): number {
    return this.#messages.size;
  }

  add(message: { id?: string; body: Uint8Array; delayMs: number; deadReason?: string }): string {
    const { id = newId(), body, delayMs, deadReason } = message;
    const stored: MemoryMessage = { id, body, deadReason, deliveries: 0, state: 'gone', generation: 0 };
    this.#messages.set(id, stored);
    this.release(stored, delayMs);
    return id;
  }

  takeReady(): MemoryMessage | undefined {
    this.#promoteDue();
    const [first] = this.#ready;
    if (first !== undefined) this.#ready.delete(first);
    return first;
  }

  /** Of a message that `takeReady` gave. */
  lease(message: MemoryMessage, visibilityMs: number): QueueMessage {
    message.deliveries++;
    this.#wait(message, 'leased', visibilityMs);
    const { id, body, deliveries, deadReason } = message;
    const receiptHandle = `${deliveries}.${id}`;
    return {
      id,
      body: Buffer.from(body),
      receiptHandle,
      deliveries,
      ...(deadReason === undefined ? {} : { deadReason }),
    };
  }

  /** The message that a receipt names, while its delivery is current. @throws ERR_RECEIPT */
  leased(receiptHandle: string): MemoryMessage {
    this.#promoteDue();
    const dot = receiptHandle.indexOf('.');
    const message = this.#messages.get(receiptHandle.slice(dot + 1));
    if (message?.state === 'leased' && String(message.deliveries) === receiptHandle.slice(0, dot)) return message;
    throw badReceipt('has expired, was used, or belongs to another topic');
  }

  release(message: MemoryMessage, delayMs: number): void {
    this.#endLease(message);
    if (delayMs > 0) this.#wait(message, 'delayed', delayMs);
    else {
      message.state = 'ready';
      this.#ready.add(message);
    }
    this.#wake();
  }

  remove(message: MemoryMessage): void {
    this.#endLease(message);
    message.state = 'gone';
    this.#messages.delete(message.id);
  }

  clear(): void {
    for (const message of this.#messages.values()) message.state = 'gone';
    this.#messages.clear();
    this.#ready.clear();
    this.#remembered.clear();
    this.#timers.length = 0;
    this.#staleTimers = 0;
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

  /** A timer of a lease that was ended keeps its message in memory until then: most of them must not. */
  #endLease(message: MemoryMessage): void {
    if (message.state !== 'leased') return;
    message.generation++;
    if (++this.#staleTimers < MIN_STALE_TIMERS || this.#staleTimers * 2 < this.#timers.length) return;
    // A sorted list is a heap.
    this.#timers = this.#timers.filter((timer) => !isStale(timer)).sort((a, b) => a.dueMs - b.dueMs);
    this.#staleTimers = 0;
  }

  #wake(): void {
    for (const done of [...this.#waiting]) done();
  }

  #wait(message: MemoryMessage, state: 'delayed' | 'leased', ms: number): void {
    message.state = state;
    const generation = ++message.generation;
    push(this.#timers, { dueMs: Date.now() + ms, message, generation });
  }

  #promoteDue(): void {
    const nowMs = this.#timers.length === 0 ? 0 : Date.now();
    for (let next = this.#timers[0]; next !== undefined && next.dueMs <= nowMs; next = this.#timers[0]) {
      pop(this.#timers);
      if (isStale(next)) {
        this.#staleTimers--;
        continue;
      }
      const { message } = next;
      message.state = 'ready';
      this.#ready.add(message);
    }
  }
}

/** Its message moved on before the time came. */
const isStale = ({ message, generation }: Timer): boolean => message.generation !== generation;

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
