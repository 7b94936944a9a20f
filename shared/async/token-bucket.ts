/** A rate as a bucket of tokens: what is taken beyond it is owed, and its taker waits until it is paid. */
export class TokenBucket {
  readonly #perS: number;
  readonly #burst: number;
  readonly #nowMs: () => number;
  #tokens: number;
  #atMs: number;

  /**
   * @param burst what may be taken at once after a rest; default: what comes in a second
   * @param nowMs a monotonic clock, in milliseconds
   */
  constructor(perS: number, { burst = perS, nowMs = () => performance.now() }: TokenBucketOptions = {}) {
    this.#perS = perS;
    this.#burst = burst;
    this.#nowMs = nowMs;
    this.#tokens = burst;
    this.#atMs = nowMs();
  }

  /** What may be taken at once; below 0: what is owed. */
  get tokens(): number {
    const nowMs = this.#nowMs();
    this.#tokens = Math.min(this.#burst, this.#tokens + (Math.max(0, nowMs - this.#atMs) / 1_000) * this.#perS);
    this.#atMs = nowMs;
    return this.#tokens;
  }

  /** Takes them, and answers after how many milliseconds the taker may go on. Who takes later goes on later. */
  take(amount: number): number {
    this.#tokens = this.tokens - amount;
    return this.#tokens >= 0 ? 0 : Math.ceil((-this.#tokens / this.#perS) * 1_000);
  }

  /** Takes them where nothing would be owed. */
  tryTake(amount: number): boolean {
    if (this.tokens < amount) return false;
    this.#tokens -= amount;
    return true;
  }
}

export interface TokenBucketOptions {
  readonly burst?: number;
  readonly nowMs?: () => number;
}
