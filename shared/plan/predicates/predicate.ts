import type { TSchema } from 'typebox';
import type { Fault } from '../../errors/isomorph-error.ts';

/** What a predicate looks at. The shell reads it; the predicate itself stays pure. */
export type EvidenceRead =
  | { readonly kind: 'artifact'; readonly path: string; readonly bytes: boolean }
  | { readonly kind: 'series'; readonly series: string };

export interface ArtifactEvidence {
  readonly cid: string;
  readonly size: number;
  /** Present when the read asked for bytes. */
  readonly bytes: Uint8Array | undefined;
}

/** What the reads found; undefined for what does not exist. */
export interface Evidence {
  artifact(path: string): ArtifactEvidence | undefined;
  /** The highest watermark that the ledger holds for a series. */
  series(name: string): number | undefined;
}

export interface PredicateResult {
  readonly ok: boolean;
  /** For a person: what was there. */
  readonly found: string;
}

export interface Predicate<Args> {
  readonly use: string;
  /** Schema of the arguments beside `use`. */
  readonly args: TSchema;
  /** Names of arguments that are WorldPaths: admission makes them canonical and checks them against the policy. */
  readonly paths: readonly (keyof Args & string)[];
  /**
   * Why the program in the arguments cannot be used, such as an expression or a schema. A predicate that has one runs what a
   * user wrote: it is judged where it can be ended (`shared/judge`).
   */
  programFaults?(args: Args, pointer: string): readonly Fault[];
  reads(args: Args): readonly EvidenceRead[];
  check(args: Args, evidence: Evidence): PredicateResult;
}
