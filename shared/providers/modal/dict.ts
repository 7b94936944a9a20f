import { backoffMs, delay } from '../../async/delay.ts';
import { IsomorphError } from '../../errors/isomorph-error.ts';
import { isNotFound, isPassingStatus, toModalError } from './account.ts';
import { pickleText, unpickleText } from './pickle.ts';
import type { CallOptions, DictEntry, DictRpc } from './sdk.ts';

const LOOK_UP = 0;
const CREATE_IF_MISSING = 1;
const LONGEST_PAUSE_MS = 1_000;

/**
 * A named Modal Dict of texts under texts, as Python would read it. It is made when it is first used, and again when somebody
 * deleted it meanwhile. Every method throws IsomorphError only.
 */
export class ModalDict {
  readonly #rpc: DictRpc;
  readonly #environment: string;
  readonly #name: string;
  readonly #options: CallOptions;
  #id: Promise<string> | undefined;

  constructor(rpc: DictRpc, place: { readonly environment: string; readonly name: string }, options: CallOptions) {
    this.#rpc = rpc;
    this.#environment = place.environment;
    this.#name = place.name;
    this.#options = options;
  }

  async get(key: string): Promise<unknown> {
    const { found, value } = await this.#call((dictId) =>
      this.#rpc.dictGet({ dictId, key: pickleText(key) }, this.#options),
    );
    return found && value !== undefined ? JSON.parse(unpickleText(value)) : undefined;
  }

  async contains(key: string): Promise<boolean> {
    const { found } = await this.#call((dictId) =>
      this.#rpc.dictContains({ dictId, key: pickleText(key) }, this.#options),
    );
    return found;
  }

  /** The last put wins. */
  async put(key: string, value: unknown): Promise<void> {
    await this.#update(key, value, false);
  }

  /**
   * Writes only where nothing is. False says that something is there now: perhaps this very write, whose first answer was
   * lost and which the SDK then repeated. Read it to know (`Cells.create` does).
   */
  async putIfAbsent(key: string, value: unknown): Promise<boolean> {
    const { created } = await this.#update(key, value, true);
    return created;
  }

  /** Removes a key. False may also mean that a lost answer was asked for again. */
  async pop(key: string): Promise<boolean> {
    const { found } = await this.#call((dictId) => this.#rpc.dictPop({ dictId, key: pickleText(key) }, this.#options));
    return found;
  }

  /** Every key; what is written meanwhile may be missing. */
  async keys(): Promise<string[]> {
    return (await this.#contents(false)).map(({ key }) => unpickleText(key));
  }

  /** As `keys`, with the values. */
  async entries(): Promise<[string, unknown][]> {
    return (await this.#contents(true)).map(({ key, value }) => [
      unpickleText(key),
      value === undefined ? undefined : JSON.parse(unpickleText(value)),
    ]);
  }

  async #contents(values: boolean): Promise<DictEntry[]> {
    const { retries = 0, baseDelay: baseMs = 0 } = this.#options;
    return this.#call(async (dictId) => {
      for (let attempt = 0; ; attempt++) {
        try {
          return await this.#list(dictId, values);
        } catch (error) {
          if (attempt >= retries || !isPassingStatus(error)) throw error;
          await delay(backoffMs(attempt, { baseMs, maxMs: LONGEST_PAUSE_MS, random: Math.random }));
        }
      }
    });
  }

  /** The SDK repeats what answers once, but no stream. The time limit is one of silence: under load a listing takes its time. */
  async #list(dictId: string, values: boolean): Promise<DictEntry[]> {
    const { timeoutMs } = this.#options;
    const silence = new AbortController();
    const timer = setTimeout(() => silence.abort(), timeoutMs);
    const listed: DictEntry[] = [];
    try {
      const entries = this.#rpc.dictContents({ dictId, keys: true, values }, { signal: silence.signal });
      for await (const entry of entries) {
        listed.push(entry);
        timer.refresh();
      }
    } catch (error) {
      if (!silence.signal.aborted) throw error;
      throw new IsomorphError('ERR_UNAVAILABLE', `Modal: DictContents was silent for ${timeoutMs} ms`, {}, error);
    } finally {
      clearTimeout(timer);
    }
    return listed;
  }

  /** Deletes the Dict and what it holds. */
  async destroy(): Promise<void> {
    const place = { deploymentName: this.#name, environmentName: this.#environment, objectCreationType: LOOK_UP };
    try {
      const { dictId } = await this.#rpc.dictGetOrCreate(place, this.#options);
      // Emptied first: whoever still has its id must not find what was purged.
      await this.#rpc.dictClear({ dictId }, this.#options);
      await this.#rpc.dictDelete({ dictId }, this.#options);
    } catch (error) {
      if (!isNotFound(error)) throw toModalError(error);
    } finally {
      this.#id = undefined;
    }
  }

  #update(key: string, value: unknown, ifNotExists: boolean): Promise<{ created: boolean }> {
    const updates = [{ key: pickleText(key), value: pickleText(JSON.stringify(value)) }];
    return this.#call((dictId) => this.#rpc.dictUpdate({ dictId, updates, ifNotExists }, this.#options));
  }

  async #call<T>(use: (dictId: string) => Promise<T>): Promise<T> {
    const opening = this.#open();
    try {
      return await use(await opening);
    } catch (error) {
      // A Dict that does not open is asked for anew by the next call.
      if (this.#id === opening) this.#id = undefined;
      if (!isNotFound(error)) throw toModalError(error);
    }
    try {
      return await use(await this.#open());
    } catch (error) {
      throw toModalError(error);
    }
  }

  #open(): Promise<string> {
    const place = { deploymentName: this.#name, environmentName: this.#environment };
    this.#id ??= this.#rpc
      .dictGetOrCreate({ ...place, objectCreationType: CREATE_IF_MISSING }, this.#options)
      .then(({ dictId }) => dictId);
    return this.#id;
  }
}
