import type { TSchema } from 'typebox';

/** What a predicate looks at. The shell reads it; the predicate itself stays pure. */
export type Read =
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
  reads(args: Args): readonly Read[];
  check(args: Args, evidence: Evidence): PredicateResult;
}
