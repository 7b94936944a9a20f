import { backoffMs, delay } from '../async/delay.ts';
import { IsomorphError } from '../errors/isomorph-error.ts';
import { Deadlines } from './deadlines.ts';
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
  async run<T>(name: Name, attempt: () => Promise<T>, attempts: Attempts): Promise<T> {
    const counts = this.#counts[name];
    counts.calls++;
    for (let done = 1; ; done++) {
      try {
        if (this.#isClosed) throw this.#unavailable(name, 'is closed');
        // Nothing is between us and a driver in this process: a time limit would cost more than the operation.
        return await (this.#isInProcess ? attempt() : this.#limited(name, attempt, attempts));
      } catch (thrown) {
        const error = this.#ours(name, thrown);
        const isLast = done >= this.#retry.attempts || this.#isClosed;
        if (!attempts.isRepeatable || isLast || error.code !== 'ERR_UNAVAILABLE') {
          counts.failed++;
          throw error;
        }
        counts.repeated++;
        await delay(backoffMs(done - 1, { ...this.#retry, random: Math.random }));
      }
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#deadlines.close();
  }

  #limited<T>(name: Name, attempt: () => Promise<T>, { extraMs = 0 }: Attempts): Promise<T> {
    const limitMs = this.#timeoutMs + extraMs;
    return this.#deadlines.within(attempt(), limitMs, () =>
      this.#unavailable(name, `gave no answer within ${limitMs} ms`),
    );
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
