import type { Clock } from './clock.ts';
import { NamedObjects, type ObjectRequest } from './objects.ts';
import { type Handlers, invalid } from './rpc.ts';

const IDLE_MS = 7 * 86_400_000;
const MAX_VALUE_BYTES = 100 * 1024 * 1024;

interface Entry {
  readonly key: Buffer;
  readonly value: Buffer;
  touchedMs: number;
}
interface KeyRequest {
  readonly dict_id: string;
  readonly key: Buffer;
}
interface UpdateRequest {
  readonly dict_id: string;
  readonly updates: readonly { readonly key: Buffer; readonly value: Buffer }[];
  readonly if_not_exists: boolean;
}
interface ContentsRequest {
  readonly dict_id: string;
  readonly keys: boolean;
  readonly values: boolean;
}
interface DictRequest {
  readonly dict_id: string;
}

/** Entries by the bytes of their keys, as Modal has them: it never unpickles. Idle ones are gone after 7 days. */
class Dict {
  readonly #entries = new Map<string, Entry>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get(key: Buffer): Entry | undefined {
    const text = key.toString('latin1');
    const entry = this.#entries.get(text);
    if (entry === undefined) return undefined;
    const nowMs = this.#clock.nowMs();
    if (nowMs - entry.touchedMs > IDLE_MS) {
      this.#entries.delete(text);
      return undefined;
    }
    entry.touchedMs = nowMs;
    return entry;
  }

  set(key: Buffer, value: Buffer): void {
    if (value.length > MAX_VALUE_BYTES) throw invalid('the value is too large');
    this.#entries.set(key.toString('latin1'), { key, value, touchedMs: this.#clock.nowMs() });
  }

  delete(key: Buffer): void {
    this.#entries.delete(key.toString('latin1'));
  }

  clear(): void {
    this.#entries.clear();
  }

  /** Listing is no reading: it keeps nothing alive. */
  all(): Entry[] {
    const nowMs = this.#clock.nowMs();
    return [...this.#entries.values()].filter(({ touchedMs }) => nowMs - touchedMs <= IDLE_MS);
  }
}

/** The Dict methods, as Python's test servicer answers them. */
export function dictHandlers(clock: Clock): Handlers {
  const dicts = new NamedObjects('di', () => new Dict(clock));
  const found = (entry: Entry | undefined) =>
    entry === undefined ? { found: false } : { found: true, value: entry.value };
  return {
    DictGetOrCreate: (request: ObjectRequest) => ({
      dict_id: dicts.getOrCreate(request),
      metadata: { name: request.deployment_name },
    }),
    DictGet: ({ dict_id, key }: KeyRequest) => found(dicts.get(dict_id).get(key)),
    DictContains: ({ dict_id, key }: KeyRequest) => ({ found: dicts.get(dict_id).get(key) !== undefined }),
    DictPop: ({ dict_id, key }: KeyRequest) => {
      const dict = dicts.get(dict_id);
      const entry = dict.get(key);
      dict.delete(key);
      return found(entry);
    },
    DictUpdate: ({ dict_id, updates, if_not_exists }: UpdateRequest) => {
      const dict = dicts.get(dict_id);
      if (!if_not_exists) {
        for (const { key, value } of updates) dict.set(key, value);
        return { created: true };
      }
      const [update, ...others] = updates;
      if (update === undefined || others.length > 0) throw invalid('if_not_exists takes exactly one update');
      if (dict.get(update.key) !== undefined) return { created: false };
      dict.set(update.key, update.value);
      return { created: true };
    },
    DictContents: ({ dict_id, keys, values }: ContentsRequest) =>
      dicts
        .get(dict_id)
        .all()
        .map(({ key, value }) => ({ ...(keys ? { key } : {}), ...(values ? { value } : {}) })),
    DictLen: ({ dict_id }: DictRequest) => ({ len: dicts.get(dict_id).all().length }),
    DictClear: ({ dict_id }: DictRequest) => {
      dicts.get(dict_id).clear();
      return {};
    },
    DictDelete: ({ dict_id }: DictRequest) => {
      dicts.delete(dict_id);
      return {};
    },
    DictHeartbeat: ({ dict_id }: DictRequest) => {
      dicts.get(dict_id);
      return {};
    },
  };
}
