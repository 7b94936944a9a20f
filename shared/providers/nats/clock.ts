import type { JetStreamManager } from '@nats-io/jetstream';

/** The clock of the server, by which messages live and end. Its lead over ours is asked for when it first matters. */
export class ServerClock {
  readonly #manager: JetStreamManager;
  readonly #stream: string;
  #leadMs: Promise<number> | undefined;

  /** `stream` is one that the user may ask about. */
  constructor(manager: JetStreamManager, stream: string) {
    this.#manager = manager;
    this.#stream = stream;
  }

  /** Milliseconds since 1970; behind the server by what its one answer took, never ahead. */
  async nowMs(): Promise<number> {
    this.#leadMs ??= this.#ask();
    return Date.now() + (await this.#leadMs);
  }

  async #ask(): Promise<number> {
    try {
      const { ts } = await this.#manager.streams.info(this.#stream);
      return ts === undefined ? 0 : Date.parse(ts) - Date.now();
    } catch (error) {
      this.#leadMs = undefined;
      throw error;
    }
  }
}
