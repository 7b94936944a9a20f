const MINUTE_MS = 60_000;
/** Kinds of thing that are remembered; more are told anew. */
const REMEMBERED = 1_000;

/** What is said again and again for as long as it lasts: the first time at once, then once a minute. Never silent, never a flood. */
export class OnceAMinute {
  readonly #nowMs: () => number;
  readonly #told = new Map<string, { atMs: number; times: number }>();

  /** @param nowMs a monotonic clock, in milliseconds */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** How often `what` came since it was last told, this time included; undefined when it is not to be told now. */
  due(what: string): number | undefined {
    const known = this.#told.get(what);
    if (known !== undefined && this.#nowMs() - known.atMs < MINUTE_MS) {
      known.times += 1;
      return undefined;
    }
    if (this.#told.size >= REMEMBERED) this.#told.clear();
    this.#told.set(what, { atMs: this.#nowMs(), times: 0 });
    return (known?.times ?? 0) + 1;
  }
}

/** What went wrong, without what differs from one message to the next: its kind, and the first word of what was tried. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const code = 'code' in error ? String(error.code) : error.name;
  return `${code} ${/^[a-z]*/i.exec(error.message)?.[0]}`;
}
