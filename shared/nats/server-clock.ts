/** Of a stream's info: `ts`, what the server's clock said as it answered. */
type AskTime = () => Promise<string | undefined>;

/**
 * The clock of a NATS server, by which everything is stamped and compared (Law 7). It goes by durations from what the server
 * said last: when the clock of this machine is wrong, or set, nothing changes here. Until the server was asked it is that clock.
 */
export class ServerClock {
  readonly #ask: AskTime;
  #serverMs = Date.now();
  #readMs = performance.now();

  constructor(ask: AskTime) {
    this.#ask = ask;
  }

  /** Milliseconds since 1970; behind the server by what an answer of its took at most. */
  readonly nowMs = (): number => Math.floor(this.#at(performance.now()));

  /** By how much the clock of this machine is ahead; negative when it is behind. */
  get aheadMs(): number {
    return Date.now() - this.nowMs();
  }

  /** The server stored something at this instant: it is not earlier now. */
  saw(serverMs: number): void {
    if (serverMs > this.nowMs()) this.#set(serverMs);
  }

  /** @throws what asking throws */
  async learn(): Promise<void> {
    const askedMs = performance.now();
    const told = await this.#ask();
    if (told === undefined) return;
    const [toldMs, readMs] = [Date.parse(told), performance.now()];
    // It was told at some instant between question and answer.
    const [least, most] = [toldMs, toldMs + readMs - askedMs];
    this.#set(Math.min(most, Math.max(least, this.#at(readMs))));
  }

  #at(readMs: number): number {
    return this.#serverMs + readMs - this.#readMs;
  }

  #set(serverMs: number): void {
    this.#serverMs = serverMs;
    this.#readMs = performance.now();
  }
}
