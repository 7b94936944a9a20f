import { backoffMs, delay } from '../async/delay.ts';
import { IsomorphError } from '../errors/isomorph-error.ts';
import { Deadlines, LATE } from './deadlines.ts';
import type { ScratchOptions } from './options.ts';

/** What one operation came to so far. */
export interface OperationCounts {
  readonly calls: number;
  /** Calls that ended in an error. */
  readonly failed: number;
  /** Attempts beyond the first. */
  readonly repeated: number;
}

interface Counts {
  calls: number;
  failed: number;
  repeated: number;
}

export interface Attempts {
  /** Repeating has no further effect, so that passing faults are met by doing it again. */
  readonly isRepeatable: boolean;
  /** Beyond the time limit of an attempt, because it is asked to wait. */
  readonly extraMs?: number;
}

interface Call<Name, T> {
  readonly name: Name;
  readonly attempt: () => Promise<T>;
  readonly attempts: Attempts;
}

export interface OperationsOf<Name extends string> {
  /** For messages. */
  readonly driver: string;
  readonly isInProcess: boolean | undefined;
  readonly names: readonly Name[];
}

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_RETRY = { attempts: 4, baseMs: 50, maxMs: 1_000 };

/** Runs driver calls: time limits, repeats of passing faults, counts. The same for KV and queues. */
export class Operations<Name extends string> {
  readonly #driver: string;
  readonly #isInProcess: boolean;
  readonly #counts: Record<Name, Counts>;
  readonly #deadlines = new Deadlines();
  readonly #timeoutMs: number;
  readonly #retry: typeof DEFAULT_RETRY;
  #isClosed = false;

  constructor({ driver, isInProcess = false, names }: OperationsOf<Name>, { timeoutMs, retry }: ScratchOptions) {
    this.#driver = driver;
    this.#isInProcess = isInProcess;
    this.#timeoutMs = timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.#retry = { ...DEFAULT_RETRY, ...retry };
    this.#counts = Object.fromEntries(
      names.map((name): [Name, Counts] => [name, { calls: 0, failed: 0, repeated: 0 }]),
    ) as Record<Name, Counts>;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  counts(): Readonly<Record<Name, OperationCounts>> {
    return structuredClone(this.#counts);
  }

  /** @throws IsomorphError only: what a driver throws besides is ERR_INTERNAL. */
  run<T>(name: Name, attempt: () => Promise<T>, attempts: Attempts): Promise<T> {
    this.#counts[name].calls++;
    return this.#attempt({ name, attempt, attempts }, 1);
  }

  /** The usual way is this one promise: an async function around it would cost another. */
  #attempt<T>(call: Call<Name, T>, nth: number): Promise<T> {
    const { name, attempt, attempts } = call;
    if (this.#isClosed) return this.#failed(call, nth, this.#unavailable(name, 'is closed'));
    // Nothing is between us and a driver in this process: a time limit would cost more than the operation.
    if (this.#isInProcess) return started(attempt).catch((error: unknown) => this.#failed(call, nth, error));
    const limitMs = this.#timeoutMs + (attempts.extraMs ?? 0);
    return this.#deadlines.within(
      () => started(attempt),
      limitMs,
      (error) => {
        const late = `gave no answer within ${limitMs} ms`;
        return this.#failed(call, nth, error === LATE ? this.#unavailable(name, late) : error);
      },
    );
  }

  /** Tries again where that is safe and may help. */
  async #failed<T>(call: Call<Name, T>, nth: number, thrown: unknown): Promise<T> {
    const error = this.#ours(call.name, thrown);
    const counts = this.#counts[call.name];
    const isLast = nth >= this.#retry.attempts || this.#isClosed;
    if (!call.attempts.isRepeatable || isLast || error.code !== 'ERR_UNAVAILABLE') {
      counts.failed++;
      throw error;
    }
    counts.repeated++;
    await delay(backoffMs(nth - 1, { ...this.#retry, random: Math.random }));
    return this.#attempt(call, nth + 1);
  }

  close(): void {
    this.#isClosed = true;
    this.#deadlines.close();
  }

  #unavailable(name: Name, what: string): IsomorphError {
    return new IsomorphError('ERR_UNAVAILABLE', `${this.#driver} ${what} (${name})`);
  }

  #ours(name: Name, thrown: unknown): IsomorphError {
    if (thrown instanceof IsomorphError) return thrown;
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    return new IsomorphError('ERR_INTERNAL', `${this.#driver} ${name}: ${message}`, {}, thrown);
  }
}

/** A driver that throws before it has a promise has failed like any other. */
function started<T>(attempt: () => Promise<T>): Promise<T> {
  try {
    return attempt();
  } catch (error) {
    return Promise.reject(error);
  }
}
