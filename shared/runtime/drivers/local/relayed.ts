import type { Socket } from 'node:net';
import type { TellLimit } from '../../../async/limit-notice.ts';

interface Pair {
  readonly inner: Socket;
  readonly outer: Socket;
}

export interface RelayedOptions {
  /** Connections of all containers together. */
  readonly most: number;
  readonly tell: TellLimit;
}

/**
 * Connections of containers that are passed on. Whose they are is not known here, so they are bounded in all: beyond that the
 * one gives way on which nothing has moved for longest. The gateway behind them counts by execution (ADR 96).
 */
export class Relayed {
  readonly #options: RelayedOptions;
  /** The one that moved last comes last. */
  readonly #pairs = new Map<Socket, Pair>();

  constructor(options: RelayedOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#pairs.size;
  }

  /** Passes on what comes from either side. */
  join(inner: Socket, outer: Socket): void {
    const pair: Pair = { inner, outer };
    const moved = (): void => {
      if (this.#pairs.delete(inner)) this.#pairs.set(inner, pair);
    };
    const ended = (): void => {
      this.#pairs.delete(inner);
      inner.destroy();
      outer.destroy();
    };
    this.#pairs.set(inner, pair);
    inner.on('data', moved).on('error', ended).on('close', ended);
    // A processor learns of a broken connection by its own being broken.
    outer.on('data', moved).on('error', ended).on('close', ended);
    inner.pipe(outer).pipe(inner);
    this.#bound();
  }

  #bound(): void {
    const { most, tell } = this.#options;
    tell({ limit: 'relay_connections', of: 'all', used: this.#pairs.size, most });
    if (this.#pairs.size <= most) return;
    const [quietest] = this.#pairs.keys();
    if (quietest !== undefined) this.#pairs.delete(quietest);
    quietest?.destroy();
  }
}
