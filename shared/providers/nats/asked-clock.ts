import type { JetStreamManager } from '@nats-io/jetstream';
import { ServerClock } from '../../nats/server-clock.ts';

/** The clock of the server, by which messages live and end. It is asked for when it first matters. */
export class AskedClock {
  readonly #clock: ServerClock;
  #asked: Promise<void> | undefined;

  /** `stream` is one that the user may ask about. */
  constructor(manager: JetStreamManager, stream: string) {
    this.#clock = new ServerClock(async () => (await manager.streams.info(stream)).ts);
  }

  /** Milliseconds since 1970. */
  async nowMs(): Promise<number> {
    this.#asked ??= this.#clock.learn();
    try {
      await this.#asked;
    } catch (error) {
      this.#asked = undefined;
      throw error;
    }
    return this.#clock.nowMs();
  }

  /** The instant so long from now; 0 for at once. */
  async after(delayMs: number): Promise<number> {
    return delayMs > 0 ? (await this.nowMs()) + delayMs : 0;
  }
}
