import type { StreamConfig } from '@nats-io/jetstream';
import type { IsomorphError } from '../../errors/isomorph-error.ts';
import type { NatsAccess } from './scratch.ts';

interface Look {
  readonly atMs: number;
  /** What the stream held then. */
  readonly bytes: number;
  readonly limitBytes: number;
  /** What this process has sent to it since, about. */
  sentBytes: number;
}

const isFull = ({ bytes, sentBytes, limitBytes }: Look): boolean => bytes + sentBytes >= limitBytes;

const LOOK_EVERY_MS = 1_000;
/** So often when more than half of the limit is used. */
const LOOK_CLOSELY_EVERY_MS = 100;

/** Of a message, beside its body: subject, headers, and what the server writes around them. */
const AROUND_BODY_BYTES = 100;

export interface RoomOptions {
  /** What a stream may hold. */
  limitBytes(config: StreamConfig): number;
  full(stream: string, bytes: number, limitBytes: number): IsomorphError;
}

/**
 * Whether a stream may take more, where the server is not to be the judge of that. It is looked at now and then; between two
 * looks what this process sends is counted, so that the stream may hold more only by what others send.
 */
export class Room {
  readonly #nats: Pick<NatsAccess, 'manager'>;
  readonly #options: RoomOptions;
  readonly #looks = new Map<string, Promise<Look>>();
  /** Those that had no room when they were last asked. */
  readonly #full = new Set<string>();

  constructor(nats: Pick<NatsAccess, 'manager'>, options: RoomOptions) {
    this.#nats = nats;
    this.#options = options;
  }

  /** Counts a message of so many bytes as sent. @throws what `full` says when the stream holds as much as it may */
  async take(stream: string, bodyBytes: number): Promise<void> {
    let look = await this.#look(stream);
    // Nobody is refused by an estimate.
    if (isFull(look) && look.sentBytes > 0) look = await this.#lookAnew(stream);
    if (isFull(look)) {
      this.#full.add(stream);
      throw this.#options.full(stream, look.bytes, look.limitBytes);
    }
    look.sentBytes += bodyBytes + AROUND_BODY_BYTES;
  }

  /** Something went from it: who found it full looks again. */
  freed(stream: string): void {
    if (this.#full.delete(stream)) this.#looks.delete(stream);
  }

  async #look(stream: string): Promise<Look> {
    const last = await this.#looks.get(stream);
    if (last !== undefined) {
      const everyMs = (last.bytes + last.sentBytes) * 2 > last.limitBytes ? LOOK_CLOSELY_EVERY_MS : LOOK_EVERY_MS;
      if (performance.now() - last.atMs < everyMs) return last;
    }
    return this.#lookAnew(stream);
  }

  #lookAnew(stream: string): Promise<Look> {
    const look = this.#ask(stream);
    this.#looks.set(stream, look);
    // The next call asks again.
    look.catch(() => this.#looks.delete(stream));
    return look;
  }

  async #ask(stream: string): Promise<Look> {
    const { state, config } = await this.#nats.manager.streams.info(stream);
    return { atMs: performance.now(), bytes: state.bytes, limitBytes: this.#options.limitBytes(config), sentBytes: 0 };
  }
}
