/** A primitive by the driver, and the bare client doing the same calls on the same server. */
export interface Contest {
  /** As in `<driver>_<kv|queue>`. */
  readonly name: string;
  /** How many operations a `step` is. */
  readonly opsPerStep: number;
  /** Steps in one turn. */
  readonly steps: number;
  /** How many steps are under way at once; 8 when absent. */
  readonly concurrency?: number;
  /** Both do the same to a server; `index` is never used twice by one of them. */
  ours(index: number): Promise<unknown>;
  bare(index: number): Promise<unknown>;
}

export interface Backend {
  readonly contests: readonly Contest[];
  stop(): Promise<void>;
}

export const PLAN = 'bench';
/** As long as `PLAN`, so that the same bytes are sent. */
export const BARE_PLAN = 'naked';
export const TOPIC = 'jobs';
export const VALUE = new Uint8Array(300).fill(120);
export const VISIBILITY_S = 30;
