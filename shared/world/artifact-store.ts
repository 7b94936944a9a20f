/**
 * ArtifactStore: immutable bytes at WorldPaths. This file is the contract that every driver keeps and that
 * `test/world/conformance.ts` tests; drivers live in `drivers/`, named after their backend.
 *
 * For every method:
 * - A `worldPath` is an exact WorldPath in any spelling; the driver canonicalises it and throws its codes.
 * - Safe to call concurrently, from any number of processes on one store.
 * - What a call reported survives a crash of the process and of the machine; what it did not report may or may not have
 *   happened, and the same call again finds out.
 * - Drivers do not retry. `ERR_UNAVAILABLE` is the only code that is worth a retry of the same call.
 */
import type { Cid } from '../hash/cid.ts';

export interface ArtifactStat {
  /** Canonical. */
  readonly path: string;
  readonly cid: Cid;
  /** 64 lower-case hex digits. */
  readonly sha256: string;
  /** Bytes. */
  readonly size: number;
  readonly contentType: string;
}

export interface PutResult {
  readonly cid: Cid;
  readonly sha256: string;
  /** Bytes. */
  readonly size: number;
  /** False when the path already held these very bytes; the content type it was created with stays. */
  readonly created: boolean;
}

/** Bytes from `offset`, counted from 0; `length` is cut at the end of the object, as HTTP does. */
export interface ByteRange {
  readonly offset: number;
  readonly length?: number;
}

export interface ListEntry {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
}

export interface ListPage {
  /** In byte order of their keys. */
  readonly entries: readonly ListEntry[];
  /** Give it back to go on; undefined at the end. */
  readonly cursor: string | undefined;
}

/** Who will use a URL: services beside the store, or containers and people outside. */
export type Audience = 'internal' | 'public';

/** One output of one execution on its way into the store. */
export interface UploadName {
  /** The execution, e.g. `iris-001.profile.1`: `[a-z0-9][a-z0-9_.-]*`. */
  readonly uploadId: string;
  /** Where the bytes shall end up. */
  readonly worldPath: string;
}

export interface PromoteRequest extends UploadName {
  readonly contentType: string;
  /** Refuses a larger upload with ERR_OUTPUT_TOO_LARGE; needed where a presigned URL cannot bound the size (S3). */
  readonly maxBytes?: number;
}

export interface StoreCapabilities {
  /** `/artifacts/a` and `/artifacts/a/b` may both exist. Where false, the later one fails with ERR_UNIMPLEMENTED. */
  readonly pathUnderArtifact: boolean;
  /** Presigned PUT URLs refuse a body above `maxBytes` themselves, with 413. */
  readonly uploadLimitInUrl: boolean;
  /** The largest `ttlS` of a presigned URL. */
  readonly presignTtlSMax: number;
}

export const LIST_LIMIT_MAX = 1000;

export interface ArtifactStore {
  readonly driver: string;
  readonly capabilities: StoreCapabilities;

  /** `blake3:<64 hex>` of bytes at hand. Pure. */
  computeCid(data: Uint8Array): Cid;

  /**
   * Creates the artifact, or succeeds with `created: false` when it already holds the same bytes.
   * @throws ERR_IMMUTABLE, naming both CIDs, when it holds other bytes
   */
  putBytes(request: {
    readonly worldPath: string;
    readonly data: Uint8Array;
    readonly contentType: string;
  }): Promise<PutResult>;

  /**
   * As `putBytes`, for bytes that flow; memory is bounded whatever the size. Nothing becomes visible before the last
   * byte has arrived, nor when the body throws (its error is passed on).
   * @throws ERR_IMMUTABLE; ERR_CID_MISMATCH when the bytes do not hash to `expectedCid`
   */
  put(request: {
    readonly worldPath: string;
    readonly body: AsyncIterable<Uint8Array>;
    readonly contentType: string;
    readonly expectedCid?: Cid;
  }): Promise<PutResult>;

  /** @throws ERR_NOT_FOUND; ERR_CID_MISMATCH when the bytes do not hash to `expectedCid` */
  getBytes(request: { readonly worldPath: string; readonly expectedCid?: Cid }): Promise<Uint8Array>;

  /**
   * The bytes as a stream with bounded memory; nothing is read before the body is iterated. With `expectedCid` the body
   * throws ERR_CID_MISMATCH instead of handing on its last chunk when the hash differs; of a range only the recorded
   * CID can be compared.
   * @throws ERR_NOT_FOUND; ERR_RANGE when `offset` lies at or behind the end; ERR_CID_MISMATCH
   */
  get(request: {
    readonly worldPath: string;
    readonly range?: ByteRange;
    readonly expectedCid?: Cid;
  }): Promise<{ readonly stat: ArtifactStat; readonly body: AsyncIterable<Uint8Array> }>;

  /** Undefined when nothing is there. */
  stat(worldPath: string): Promise<ArtifactStat | undefined>;

  /**
   * Artifacts under a prefix, without those being written or uploaded. What is created while pages are read may be
   * missed.
   * @param request.limit entries a page, 1 to 1000 (default)
   */
  list(request: { readonly prefix: string; readonly cursor?: string; readonly limit?: number }): Promise<ListPage>;

  /**
   * A URL that GETs the artifact until `ttlS` seconds from now, with HTTP ranges. Whether it exists is not checked. The
   * URL is a credential: log it through `scrubCredentials` only.
   * @param request.audience default: public
   * @param request.readerId execution that it is for: our own gateway counts its use together with its other use
   */
  presign(request: {
    readonly worldPath: string;
    readonly ttlS: number;
    readonly audience?: Audience;
    readonly readerId?: string;
  }): Promise<string>;

  /**
   * A URL that takes one PUT body with exactly this Content-Type into staging, never to the final path. A second body
   * replaces the first until it is promoted.
   */
  presignPut(
    request: UploadName & {
      readonly contentType: string;
      readonly maxBytes: number;
      readonly ttlS: number;
      readonly audience?: Audience;
    },
  ): Promise<string>;

  /** What has arrived in staging; undefined when nothing has. */
  statUpload(upload: UploadName): Promise<{ readonly size: number } | undefined>;

  /**
   * Makes the upload an artifact: hashes what really arrived and creates the final object as `put` does. The upload
   * stays in staging, so a caller that crashed can call again; drop it after the ledger has its event.
   * @returns undefined when nothing was uploaded
   * @throws ERR_IMMUTABLE; ERR_OUTPUT_TOO_LARGE
   */
  promote(request: PromoteRequest): Promise<PutResult | undefined>;

  /**
   * DANGER: the one call that overwrites. As `promote`, but when the path holds `orphanCid`, the upload replaces it.
   * For an execution that was killed between `promote` and its commit, whose retry made other bytes. The caller must
   * know that no event of the ledger names `orphanCid` at this path and that nobody else writes it: the store cannot.
   * Readers see the old object or the new one, never a mixture.
   * @returns undefined when nothing was uploaded
   * @throws ERR_IMMUTABLE when the path holds neither `orphanCid` nor the bytes of the upload
   */
  replaceOrphan(request: PromoteRequest & { readonly orphanCid: Cid }): Promise<PutResult | undefined>;

  /** Removes what is staged under an upload id; nothing staged is no error. Artifacts are never touched. */
  dropUploads(uploadId: string): Promise<void>;

  /**
   * Removes uploads and unfinished writes whose last byte came more than `olderThanS` seconds ago. Choose it longer than
   * any execution may run.
   * @returns how many were removed
   */
  sweepUploads(request: { readonly olderThanS: number }): Promise<number>;

  /** Lets go of connections and handles. The store must not be used after it. */
  close(): Promise<void>;
}

/** What a driver is opened with beside its URL. */
export interface StoreOptions {
  /** Base of the gateway that serves signed URLs of `file`, e.g. `http://127.0.0.1:4300`. */
  readonly gatewayUrl?: string;
  /** Shared with that gateway; at least 16 random bytes. */
  readonly gatewaySecret?: Uint8Array;
  /** The clock that expiries and sweeps go by; default `Date.now`. */
  readonly nowMs?: () => number;
}

/** What a driver file exports. */
export interface StoreBackend {
  /** @throws ERR_CONFIG for an unusable URL, ERR_UNAVAILABLE when the store cannot be used. */
  open(url: URL, options: StoreOptions): Promise<ArtifactStore>;
}
