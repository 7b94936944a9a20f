import type { Load, Loaded } from '../peers/loop.mjs';
import type { Processes } from './processes.ts';

/** Who runs the jobs of the bench: we, or a peer. */
export interface Contender {
  readonly name: string;
  load(load: Load): Promise<Loaded>;
  /** CPU in ms that its parts have used so far. */
  cpu(all: Processes): Readonly<Record<string, number>>;
  stop(): Promise<void>;
}
