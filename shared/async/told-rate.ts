import { type TellLimit, TOLD_SHARE } from './limit-notice.ts';
import { TokenBucket, type TokenBucketOptions } from './token-bucket.ts';

export interface ToldRateOptions extends TokenBucketOptions {
  /** As its use is told. */
  readonly limit: string;
  readonly of: string;
  readonly perS: number;
  readonly tell: TellLimit;
}

/**
 * A rate whose use is told: when 80 % of what may be taken at once are gone, and no second time before it had a rest, since who
 * works near its rate does so all the time; and whenever it is hit.
 */
export class ToldRate {
  readonly #options: ToldRateOptions;
  readonly #bucket: TokenBucket;
  readonly #burst: number;
  #isNearTold = false;

  constructor(options: ToldRateOptions) {
    this.#options = options;
    this.#bucket = new TokenBucket(options.perS, options);
    this.#burst = options.burst ?? options.perS;
  }

  /** As that of a {@link TokenBucket}. */
  get tokens(): number {
    return this.#bucket.tokens;
  }

  /** Takes them, and answers after how many milliseconds the taker may go on. */
  take(amount: number): number {
    this.#rest();
    const waitMs = this.#bucket.take(amount);
    this.#told(waitMs > 0);
    return waitMs;
  }

  /** Takes them where nothing would be owed. */
  tryTake(amount: number): boolean {
    this.#rest();
    const isTaken = this.#bucket.tryTake(amount);
    this.#told(!isTaken);
    return isTaken;
  }

  #rest(): void {
    if (this.#isNearTold && this.#bucket.tokens === this.#burst) this.#isNearTold = false;
  }

  #told(isHit: boolean): void {
    const { limit, of, perS: most, tell } = this.#options;
    const used = isHit ? most : Math.floor(most * (1 - this.#bucket.tokens / this.#burst));
    const isNear = !isHit && !this.#isNearTold && used >= most * TOLD_SHARE && used < most;
    if (isNear) this.#isNearTold = true;
    if (isHit || isNear) tell({ limit, of, used, most });
  }
}
