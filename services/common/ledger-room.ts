import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { formatAmount } from '../../shared/text/amount.ts';
import { LEDGER_STREAM } from '../../shared/wire/ledger.ts';
import { KEPT_SHARE } from './stream-limits.ts';

const LOOK_EVERY_MS = 1_000;

/** Whether what ends nothing may be written to the ledger: looked at once a second at most. */
export class LedgerRoom {
  readonly #connection: NatsConnection;
  #look: Promise<IsomorphError | undefined> | undefined;
  #lookedMs = Number.NEGATIVE_INFINITY;

  constructor(connection: NatsConnection) {
    this.#connection = connection;
  }

  /** @throws ERR_LEDGER_FULL, which passes, when only the ends of open plans have room; ERR_UNAVAILABLE */
  async check(): Promise<void> {
    const full = await this.full();
    if (full !== undefined) throw full;
  }

  /** What {@link check} throws; undefined when there is room for more than the ends of open plans. */
  full(): Promise<IsomorphError | undefined> {
    if (this.#look === undefined || performance.now() - this.#lookedMs >= LOOK_EVERY_MS) {
      this.#lookedMs = performance.now();
      this.#look = this.#ask();
    }
    return this.#look;
  }

  async #ask(): Promise<IsomorphError | undefined> {
    try {
      const { streams } = await jetstreamManager(this.#connection, { checkAPI: false });
      const { state, config } = await streams.info(LEDGER_STREAM);
      if (config.max_bytes <= 0 || state.bytes < config.max_bytes * (1 - KEPT_SHARE)) return undefined;
      const held = `the ledger holds ${formatAmount(state.bytes)} of ${formatAmount(config.max_bytes)}`;
      return new IsomorphError('ERR_LEDGER_FULL', `${held}: the rest is for the ends of open plans`);
    } catch (error) {
      return new IsomorphError(
        'ERR_UNAVAILABLE',
        `the ledger cannot be looked at: ${(error as Error).message}`,
        {},
        error,
      );
    }
  }
}
