import type { Adapter } from '../ids/adapter.ts';
import type { Processor } from '../plan/registry.ts';

type Network = Processor['runtime']['network'];

/** What a runtime can do and others cannot. Admission refuses what it lacks, and the conformance suite tests both. */
export interface RuntimeCapabilities {
  /**
   * Each run is a process of its own: signals end it and are told, nothing that it started outlives it, environment and
   * folders are its own.
   */
  readonly ownProcess: boolean;
  /** Of what a registry entry may grant (`runtime.network`), what it can keep to. */
  readonly networks: readonly Network[];
  readonly gpu: boolean;
  /** `scratch_volume_gb` */
  readonly scratchVolume: boolean;
  /** Secrets are given to it; else it has its own, by name. */
  readonly takesSecrets: boolean;
  /** It runs images, and can tell what one is now. */
  readonly images: boolean;
}

const EVERYTHING = {
  ownProcess: true,
  networks: ['none', 'artifacts', 'internet'],
  gpu: true,
  scratchVolume: true,
  takesSecrets: true,
  images: true,
} as const satisfies RuntimeCapabilities;

export const RUNTIME_CAPABILITIES: Readonly<Record<Adapter, RuntimeCapabilities>> = {
  local: EVERYTHING,
  modal: EVERYTHING,
  // For trying out what runs elsewhere later: it lets pass what it does not keep to.
  mock: EVERYTHING,
  worker: {
    ownProcess: false,
    networks: ['internet'],
    gpu: false,
    scratchVolume: false,
    takesSecrets: false,
    images: false,
  },
};
