import { status } from '@grpc/grpc-js';
import type { Clock } from './clock.ts';
import { NamedObjects, type ObjectRequest } from './objects.ts';
import { type CallContext, type Handlers, invalid, RpcError } from './rpc.ts';

const MAX_ITEMS = 5_000;
const MAX_ITEM_BYTES = 1_048_576;
const MAX_PARTITION_BYTES = 64;

interface PartitionRequest {
  readonly queue_id: string;
  readonly partition_key: Buffer;
}
interface PutRequest extends PartitionRequest {
  readonly values: readonly Buffer[];
  readonly partition_ttl_seconds: number;
}
interface GetRequest extends PartitionRequest {
  readonly timeout: number;
  readonly n_values: number;
}
interface NextRequest extends PartitionRequest {
  readonly last_entry_id: string;
}
interface LenRequest extends PartitionRequest {
  readonly total: boolean;
}
interface ClearRequest extends PartitionRequest {
  readonly all_partitions: boolean;
}

interface Item {
  readonly value: Buffer;
  readonly entryId: string;
}

/** One partition: first in, first out; emptied when its time to live after the last put is over. */
class Partition {
  #items: Item[] = [];
  #expiresMs = Number.POSITIVE_INFINITY;
  #entries = 0;
  readonly #waiters = new Set<() => void>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get items(): readonly Item[] {
    if (this.#clock.nowMs() >= this.#expiresMs) this.#items = [];
    return this.#items;
  }

  put(values: readonly Buffer[], ttlSeconds: number): void {
    if (this.items.length + values.length > MAX_ITEMS) {
      throw new RpcError(status.RESOURCE_EXHAUSTED, 'the partition is full');
    }
    for (const value of values) this.#items.push({ value, entryId: String(++this.#entries).padStart(12, '0') });
    this.#expiresMs = this.#clock.nowMs() + ttlSeconds * 1_000;
    for (const wake of [...this.#waiters]) wake();
  }

  clear(): void {
    this.#items = [];
  }

  /** Takes up to `count`, waiting for the first; empty after the timeout. A client that went away takes nothing. */
  async take(count: number, timeoutMs: number, signal: AbortSignal): Promise<Buffer[]> {
    const deadlineMs = performance.now() + timeoutMs;
    while (this.items.length === 0 && !signal.aborted) {
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) return [];
      await this.#woken(leftMs, signal);
    }
    return signal.aborted ? [] : this.#items.splice(0, count).map(({ value }) => value);
  }

  #woken(timeoutMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', wake);
        this.#waiters.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, timeoutMs);
      signal.addEventListener('abort', wake);
      this.#waiters.add(wake);
    });
  }
}

class Queue {
  readonly #partitions = new Map<string, Partition>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  at(key: Buffer): Partition {
    if (key.length > MAX_PARTITION_BYTES) throw invalid('the partition key is too long');
    const text = key.toString('latin1');
    const partition = this.#partitions.get(text) ?? new Partition(this.#clock);
    this.#partitions.set(text, partition);
    return partition;
  }

  all(): readonly Partition[] {
    return [...this.#partitions.values()];
  }
}

/** The Queue methods, as Python's test servicer answers them. */
export function queueHandlers(clock: Clock): Handlers {
  const queues = new NamedObjects('qu', () => new Queue(clock));
  return {
    QueueGetOrCreate: (request: ObjectRequest) => ({
      queue_id: queues.getOrCreate(request),
      metadata: { name: request.deployment_name },
    }),
    QueuePut: ({ queue_id, partition_key, values, partition_ttl_seconds }: PutRequest) => {
      if (values.some((value) => value.length > MAX_ITEM_BYTES)) throw invalid('an item is too large');
      queues.get(queue_id).at(partition_key).put(values, partition_ttl_seconds);
      return {};
    },
    QueueGet: async ({ queue_id, partition_key, timeout, n_values }: GetRequest, { signal }: CallContext) => ({
      values: await queues
        .get(queue_id)
        .at(partition_key)
        .take(n_values, timeout * 1_000, signal),
    }),
    QueueNextItems: ({ queue_id, partition_key, last_entry_id }: NextRequest) => ({
      items: queues
        .get(queue_id)
        .at(partition_key)
        .items.filter(({ entryId }) => entryId > last_entry_id)
        .map(({ value, entryId }) => ({ value, entry_id: entryId })),
    }),
    QueueLen: ({ queue_id, partition_key, total }: LenRequest) => {
      const queue = queues.get(queue_id);
      const partitions = total ? queue.all() : [queue.at(partition_key)];
      return { len: partitions.reduce((sum, { items }) => sum + items.length, 0) };
    },
    QueueClear: ({ queue_id, partition_key, all_partitions }: ClearRequest) => {
      const queue = queues.get(queue_id);
      for (const partition of all_partitions ? queue.all() : [queue.at(partition_key)]) partition.clear();
      return {};
    },
    QueueDelete: ({ queue_id }: { readonly queue_id: string }) => {
      queues.delete(queue_id);
      return {};
    },
    QueueHeartbeat: ({ queue_id }: { readonly queue_id: string }) => {
      queues.get(queue_id);
      return {};
    },
  };
}
