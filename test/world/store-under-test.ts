import type { ArtifactStore } from '../../shared/world/artifact-store.ts';

export interface Variant {
  /** Signs URLs as a clock would that is off by this much. */
  readonly clockOffsetMs?: number;
  /** Signs URLs with a secret that the server does not know. */
  readonly wrongSecret?: boolean;
}

/** A fresh, empty store on a backend that lasts until `dispose`. */
export interface StoreUnderTest {
  readonly store: ArtifactStore;
  /** Another handle on the same data, as another process would open it. */
  open(variant?: Variant): Promise<ArtifactStore>;
  dispose(): Promise<void>;
}

export type MakeStore = () => Promise<StoreUnderTest>;

/** A test of the suite: its name, and what it does with a store of its own. */
export type StoreCase = readonly [title: string, run: (subject: StoreUnderTest) => Promise<void>];
