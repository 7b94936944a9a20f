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

/** How a body of an upload is sent: a PUT to the URL, with its content type and these headers. */
export interface UploadUrl {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface SealRequest extends UploadName {
  /** Refuses a larger upload with ERR_OUTPUT_TOO_LARGE; needed where a presigned URL cannot bound the size (S3). */
  readonly maxBytes?: number;
}

/** Bytes that nobody can change any more. */
export interface Sealed {
  readonly cid: Cid;
  readonly sha256: string;
  /** Bytes. */
  readonly size: number;
}

export interface ShowRequest extends UploadName, Sealed {
  readonly contentType: string;
}

export interface ClaimRequest {
  readonly worldPath: string;
  /** Who wants it: a plan, or what no plan can be called. */
  readonly owner: string;
}

export interface StoreCapabilities {
  /** `/artifacts/a` and `/artifacts/a/b` may both exist. Where false, the later one fails with ERR_UNIMPLEMENTED. */
  readonly pathUnderArtifact: boolean;
  /** Presigned PUT URLs refuse a body above `maxBytes` themselves, with 413. */
  readonly uploadLimitInUrl: boolean;
  /** A presigned PUT URL takes one body, and answers 412 to a second. Where false, the last one before the seal counts. */
  readonly uploadOnce: boolean;
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
   * A URL that takes a PUT body with exactly this Content-Type and the headers that come with it into staging, never to
   * the final path. No body of it changes what is sealed.
   */
  presignPut(
    request: UploadName & {
      readonly contentType: string;
      readonly maxBytes: number;
      readonly ttlS: number;
      readonly audience?: Audience;
    },
  ): Promise<UploadUrl>;

  /** What has arrived in staging; undefined when nothing has. */
  statUpload(upload: UploadName): Promise<{ readonly size: number } | undefined>;

  /**
   * Seals an upload: from the first call on nobody can change these bytes, whatever else its URL is used for, and they
   * are found again from upload id and path. Hashes what really arrived. Every later call gives the same.
   * @returns undefined when nothing was uploaded
   * @throws ERR_OUTPUT_TOO_LARGE
   */
  seal(request: SealRequest): Promise<Sealed | undefined>;

  /** As `seal`, for bytes at hand. Bytes that were sealed before win: what is returned tells which. */
  sealBytes(request: UploadName & { readonly data: Uint8Array }): Promise<Sealed>;

  /**
   * Shows sealed bytes at their path, as an effect of the commit that names them there. Idempotent; succeeds with
   * `created: false` when the path holds these bytes already, sealed or not.
   * @throws ERR_IMMUTABLE when the path holds other bytes; ERR_NOT_FOUND when it holds none and nothing is sealed;
   * ERR_CID_MISMATCH when what is sealed has another CID
   */
  show(request: ShowRequest): Promise<PutResult>;

  /**
   * Makes a path one owner's for good: whoever asks first. What lies at the path is not looked at.
   * @returns the owner, which may be another
   */
  claim(request: ClaimRequest): Promise<string>;

  /**
   * Whether bytes could be shown at a path now.
   * @throws ERR_IMMUTABLE when it holds others; ERR_UNIMPLEMENTED when the driver cannot hold it (`pathUnderArtifact`)
   */
  checkFree(request: { readonly worldPath: string; readonly cid: Cid }): Promise<void>;

  /**
   * Removes what is staged and sealed under an upload id; nothing there is no error. Artifacts are never touched. The
   * caller knows that what the ledger names of it is shown.
   */
  dropUploads(uploadId: string): Promise<void>;

  /**
   * Removes what was staged or sealed more than `olderThanS` seconds ago, unless its upload id is still needed: the
   * ledger may name of it what the World does not show. Unfinished writes of that age go too.
   * @param request.isNeeded asked once an upload id; a rejection counts as yes
   * @returns how many were removed
   */
  sweepUploads(request: {
    readonly olderThanS: number;
    readonly isNeeded: (uploadId: string) => Promise<boolean>;
  }): Promise<number>;

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
