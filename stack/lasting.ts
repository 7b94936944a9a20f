/** A server of the stack that is started again when it ended by itself, for as long as that helps. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { IsomorphError } from '../shared/errors/isomorph-error.ts';

export interface LastingOptions<T> {
  /** For people. */
  readonly name: string;
  readonly log: Logger;
  /** Starts it; `before` is what it was, whose port its clients know. */
  start(onExit: () => void, before: T | undefined): Promise<T>;
  /** Whether somebody else has started it meanwhile: then it is theirs. */
  isServed?(): Promise<boolean>;
  /** It ends again and again. */
  onGivenUp(error: IsomorphError): void;
}

/** Whoever ended it on purpose has this long to start it. */
const GRACE_MS = 2_000;
const MOST_STARTS = { times: 5, withinMs: 60_000 } as const;

export class Lasting<T extends { stop(): Promise<void> }> {
  readonly #options: LastingOptions<T>;
  readonly #starts: number[] = [];
  readonly #abort = new AbortController();
  #server: T | undefined;
  #restarting: Promise<void> | undefined;

  private constructor(options: LastingOptions<T>) {
    this.#options = options;
  }

  static async start<T extends { stop(): Promise<void> }>(options: LastingOptions<T>): Promise<Lasting<T>> {
    const lasting = new Lasting(options);
    lasting.#server = await options.start(() => lasting.#ended(), undefined);
    return lasting;
  }

  /** As it runs now, or ran last. */
  get server(): T {
    if (this.#server === undefined) throw new IsomorphError('ERR_INTERNAL', `${this.#options.name} was not started`);
    return this.#server;
  }

  /** Ends it in order and starts it again, when it runs but serves no more. */
  restart(): Promise<void> {
    this.#restarting ??= this.#startAgain(async () => this.server.stop()).finally(() => {
      this.#restarting = undefined;
    });
    return this.#restarting;
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#restarting;
    await this.server.stop();
  }

  #ended(): void {
    if (this.#abort.signal.aborted || this.#restarting !== undefined) return;
    this.#options.log.error(`${this.#options.name} ended by itself: it is started again`);
    const grace = async (): Promise<void> => {
      await delay(GRACE_MS, undefined, { signal: this.#abort.signal }).catch(() => undefined);
    };
    this.#restarting = this.#startAgain(grace).finally(() => {
      this.#restarting = undefined;
    });
  }

  async #startAgain(first: () => Promise<void>): Promise<void> {
    const { name, log, start, isServed = async () => false, onGivenUp } = this.#options;
    for (;;) {
      await first();
      if (this.#abort.signal.aborted || (await isServed())) return;
      if (!this.#mayStart()) {
        return onGivenUp(new IsomorphError('ERR_UNAVAILABLE', `${name} ends again and again; see its log`));
      }
      try {
        this.#server = await start(() => this.#ended(), this.#server);
        return log.warn(`${name} was started again`);
      } catch (error) {
        log.error({ err: error }, `${name} could not be started again`);
      }
    }
  }

  #mayStart(): boolean {
    const nowMs = performance.now();
    this.#starts.push(nowMs);
    return this.#starts.filter((atMs) => nowMs - atMs < MOST_STARTS.withinMs).length <= MOST_STARTS.times;
  }
}
