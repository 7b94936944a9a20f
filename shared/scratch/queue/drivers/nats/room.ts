import { IsomorphError } from '../../../../errors/isomorph-error.ts';
import type { NatsAccess } from '../../../../providers/nats/scratch.ts';
import { formatAmount } from '../../../../text/amount.ts';
import { MAX_BYTES_METADATA } from '../../../../wire/scratch-streams.ts';

interface Look {
  readonly atMs: number;
  readonly bytes: number;
  readonly limitBytes: number;
}

const LOOK_EVERY_MS = 1_000;
/** So often when more than half of the limit is used. */
const LOOK_CLOSELY_EVERY_MS = 100;

/**
 * Whether a stream of queues may take more. The server cannot refuse what is new there (it has schedules), and dropping what is old
 * would take somebody else's messages: so it is looked at, and may hold more by what is published between two looks.
 */
export class Room {
  readonly #nats: NatsAccess;
  readonly #looks = new Map<string, Promise<Look>>();

  constructor(nats: NatsAccess) {
    this.#nats = nats;
  }

  /** @throws ERR_LIMIT when the stream holds as much as it may */
  async check(stream: string): Promise<void> {
    const { bytes, limitBytes } = await this.#look(stream);
    if (bytes < limitBytes) return;
    throw new IsomorphError('ERR_LIMIT', `the queues of ${stream} hold ${formatAmount(bytes)}`, {
      expected: `less than ${formatAmount(limitBytes)}: consume what is there, or raise ISOMORPH_MAX_QUEUES_BYTES`,
    });
  }

  async #look(stream: string): Promise<Look> {
    const last = await this.#looks.get(stream);
    if (last !== undefined) {
      const everyMs = last.bytes * 2 > last.limitBytes ? LOOK_CLOSELY_EVERY_MS : LOOK_EVERY_MS;
      if (performance.now() - last.atMs < everyMs) return last;
    }
    const look = this.#ask(stream);
    this.#looks.set(stream, look);
    // The next call asks again.
    look.catch(() => this.#looks.delete(stream));
    return look;
  }

  async #ask(stream: string): Promise<Look> {
    const { state, config } = await this.#nats.manager.streams.info(stream);
    const limit = config.metadata?.[MAX_BYTES_METADATA];
    return { atMs: performance.now(), bytes: state.bytes, limitBytes: Number(limit ?? Number.POSITIVE_INFINITY) };
  }
}
