/**
 * ArtifactStore in a bucket: `s3://bucket[/prefix]?endpoint=…`. Objects lie under their keys (`/artifacts/a` is
 * `prefix/artifacts/a`); what the store keeps for itself lies in `.isomorph/` beside them.
 *
 * An object is created under the condition that nothing is there (`If-None-Match: *`, on PUT and on the completion of
 * an object in parts), so it is visible whole or not at all, and one of many writers wins. The server is asked at the
 * start whether it keeps that promise.
 */
import { IsomorphError } from '../../../errors/isomorph-error.ts';
import { type Cid, cidOf } from '../../../hash/cid.ts';
import { canonicalWorldPath, isCanonicalKey, keyOf, pathOfKey } from '../../../ids/world-path.ts';
import type {
  ArtifactStat,
  ArtifactStore,
  Audience,
  ByteRange,
  ClaimRequest,
  ListPage,
  PutResult,
  Sealed,
  SealRequest,
  ShowRequest,
  StoreBackend,
  StoreOptions,
  UploadName,
  UploadUrl,
} from '../../artifact-store.ts';
import {
  checkCid,
  checkContentType,
  checkUploadId,
  checkWithin,
  listLimit,
  meetExisting,
  nothingSealed,
  orNeeded,
  resolveRange,
} from '../../checks.ts';
import { ownerOfClaim, textOfClaim } from '../../claim.ts';
import { piecesOf, verifiedBody } from '../../content.ts';
import { collectAnswer, PART_BYTES, waitingBody } from './body.ts';
import { Bucket } from './bucket.ts';
import type { Credentials } from './connect.ts';
import { Layout } from './layout.ts';
import { type BucketLocation, parseBucketUrl } from './location.ts';
import { probeServer } from './probe.ts';
import { Records } from './records.ts';
import { UPLOAD_HEADERS } from './signer.ts';
import { S3Uploads } from './uploads.ts';
import { type WriteRequest, Writer } from './writer.ts';

export interface S3StoreOptions extends StoreOptions {
  /** Default: the environment and what else the SDK looks through (profiles, roles). */
  readonly credentials?: Credentials;
}

const notFound = (path: string): IsomorphError =>
  new IsomorphError('ERR_NOT_FOUND', `${path} does not exist`, { pointer: path });

const vanished = (path: string): IsomorphError =>
  new IsomorphError('ERR_UNAVAILABLE', `${path} changed while it was read`, { pointer: path });

class S3Store implements ArtifactStore {
  readonly driver = 's3';
  readonly capabilities = {
    pathUnderArtifact: true,
    uploadLimitInUrl: false,
    uploadOnce: true,
    presignTtlSMax: 7 * 86_400,
  } as const;

  readonly #bucket: Bucket;
  readonly #layout: Layout;
  readonly #records: Records;
  readonly #writer: Writer;
  readonly #uploads: S3Uploads;
  readonly #nowMs: () => number;
  #copiesParts = false;

  constructor(at: BucketLocation, options: S3StoreOptions) {
    this.#bucket = new Bucket(at, options.credentials);
    this.#layout = new Layout(at.prefix);
    this.#records = new Records(this.#bucket, this.#layout);
    this.#writer = new Writer(this.#bucket, this.#layout, this.#records);
    this.#uploads = new S3Uploads(this.#bucket, this.#layout);
    this.#nowMs = options.nowMs ?? Date.now;
  }

  async prepare(create: boolean): Promise<void> {
    if (create) await this.#bucket.make();
    this.#copiesParts = (await probeServer(this.#bucket, this.#layout)).copiesParts;
  }

  computeCid(data: Uint8Array): Cid {
    return cidOf(data);
  }

  async putBytes(request: Parameters<ArtifactStore['putBytes']>[0]): Promise<PutResult> {
    const { data, contentType } = request;
    if (data.byteLength > PART_BYTES) return this.put({ ...request, body: piecesOf(data) });
    const path = canonicalWorldPath(request.worldPath, 'exact');
    checkContentType(contentType);
    return this.#writer.writeBytes({ path, contentType }, data);
  }

  async put({ worldPath, body, contentType, expectedCid }: Parameters<ArtifactStore['put']>[0]): Promise<PutResult> {
    const path = canonicalWorldPath(worldPath, 'exact');
    checkContentType(contentType);
    return this.#writer.writeBody({ path, contentType, expectedCid }, body);
  }

  async getBytes({ worldPath, expectedCid }: Parameters<ArtifactStore['getBytes']>[0]): Promise<Uint8Array> {
    const path = canonicalWorldPath(worldPath, 'exact');
    const { body } = await this.#fetch(path, undefined, expectedCid);
    const bytes = await collectAnswer(`get ${path}`, body);
    if (expectedCid !== undefined) checkCid(path, cidOf(bytes), expectedCid);
    return bytes;
  }

  async get({ worldPath, range, expectedCid }: Parameters<ArtifactStore['get']>[0]) {
    const path = canonicalWorldPath(worldPath, 'exact');
    if (range !== undefined) resolveRange(range, Number.MAX_SAFE_INTEGER);
    const { stat, etag, body: opened } = await this.#fetch(path, range, expectedCid);
    const body = waitingBody(`get ${path}`, opened, async () => {
      const again = await this.#bucket.get(this.#layout.object(path), range, etag);
      if (again === undefined || again === 'outside') throw vanished(path);
      return again.body;
    });
    if (expectedCid === undefined || range !== undefined) return { stat, body };
    return { stat, body: verifiedBody(body, path, expectedCid) };
  }

  /** An open answer whose object is recorded under the expected CID; its body must be read or destroyed. */
  async #fetch(path: string, range: ByteRange | undefined, expectedCid: Cid | undefined) {
    const found = await this.#bucket.get(this.#layout.object(path), range);
    if (found === undefined) throw notFound(path);
    if (found === 'outside') throw await this.#outside(path, range);
    const { head, body } = found;
    try {
      const stat = await this.#records.describe(path, head);
      checkCid(path, stat.cid, expectedCid);
      return { stat, etag: head.etag, body };
    } catch (error) {
      body.destroy();
      throw error;
    }
  }

  async #outside(path: string, range: ByteRange | undefined): Promise<IsomorphError> {
    const stat = await this.stat(path);
    if (stat === undefined) return notFound(path);
    resolveRange(range, stat.size);
    return vanished(path);
  }

  async stat(worldPath: string): Promise<ArtifactStat | undefined> {
    const found = await this.#writer.find(canonicalWorldPath(worldPath, 'exact'));
    return found?.stat;
  }

  async list({ prefix, cursor, limit }: Parameters<ArtifactStore['list']>[0]): Promise<ListPage> {
    const folder = this.#layout.inBucket(keyOf(canonicalWorldPath(prefix, 'prefix')));
    const after = cursor === undefined ? {} : { after: this.#layout.inBucket(cursor) };
    const { found, more } = await this.#bucket.list({ prefix: folder, limit: listLimit(limit), ...after });
    const entries = found.flatMap(({ key, size }) => {
      const name = this.#layout.keyInWorld(key);
      // What others laid into the bucket under a name that is no path.
      return isCanonicalKey(name) ? [{ path: pathOfKey(name), size }] : [];
    });
    const last = found.at(-1);
    return { entries, cursor: more && last !== undefined ? this.#layout.keyInWorld(last.key) : undefined };
  }

  async presign({ worldPath, ttlS, audience }: Parameters<ArtifactStore['presign']>[0]): Promise<string> {
    const key = this.#layout.object(canonicalWorldPath(worldPath, 'exact'));
    return this.#bucket.signer.get({ key, ...this.#lifetime(ttlS, audience) });
  }

  async presignPut(request: Parameters<ArtifactStore['presignPut']>[0]): Promise<UploadUrl> {
    const { contentType, maxBytes, ttlS, audience } = request;
    checkContentType(contentType);
    // S3 cannot bind a size into the URL of a PUT: `seal` holds to it.
    checkWithin('maxBytes', maxBytes, 0, Number.MAX_SAFE_INTEGER);
    const key = this.#layout.upload(request);
    const url = await this.#bucket.signer.put({ key, contentType, ...this.#lifetime(ttlS, audience) });
    return { url, headers: UPLOAD_HEADERS };
  }

  async statUpload(upload: UploadName): Promise<{ readonly size: number } | undefined> {
    const head = await this.#bucket.head(this.#layout.upload(upload));
    return head === undefined ? undefined : { size: head.size };
  }

  async seal(request: SealRequest): Promise<Sealed | undefined> {
    const path = canonicalWorldPath(request.worldPath, 'exact');
    const hashed = await this.#uploads.seal(request, path, request.maxBytes);
    return hashed?.digest;
  }

  async sealBytes(request: Parameters<ArtifactStore['sealBytes']>[0]): Promise<Sealed> {
    const path = canonicalWorldPath(request.worldPath, 'exact');
    return (await this.#uploads.sealBytes(request, path, request.data)).digest;
  }

  /** What this process hashed goes up from memory or is copied by the server; what another hashed is read and sent. */
  async show(request: ShowRequest): Promise<PutResult> {
    const { cid, contentType } = request;
    const path = canonicalWorldPath(request.worldPath, 'exact');
    checkContentType(contentType);
    const write = { path, contentType, expectedCid: cid };
    const known = this.#uploads.known(request);
    if (known === undefined || known.digest.cid !== cid) return this.#sendOn(request, write);
    if (known.data !== undefined) return this.#writer.writeBytes(write, known.data, known.digest);
    if (!this.#copiesParts) return this.#sendOn(request, write);
    return this.#writer.copy(write, this.#layout.upload(request), known.digest);
  }

  async #sendOn(upload: ShowRequest, write: WriteRequest): Promise<PutResult> {
    const { path } = write;
    const existing = await this.#writer.find(path);
    if (existing !== undefined) return meetExisting(path, existing.stat, upload.cid);
    const staged = await this.#bucket.get(this.#layout.upload(upload));
    if (staged === undefined || staged === 'outside') throw nothingSealed(path);
    try {
      const body = waitingBody(`read the upload to ${path}`, staged.body, async () => {
        throw vanished(path);
      });
      // What is being read takes memory too.
      return await this.#writer.writeBody({ ...write, expectedBytes: staged.head.size, partsInFlight: 2 }, body);
    } finally {
      staged.body.destroy();
    }
  }

  async claim({ worldPath, owner }: ClaimRequest): Promise<string> {
    const path = canonicalWorldPath(worldPath, 'exact');
    const key = this.#layout.claim(path);
    const data = Buffer.from(textOfClaim(path, owner));
    if ((await this.#bucket.create({ key, data, contentType: 'application/json' })) === 'done') return owner;
    const found = await this.#bucket.get(key);
    if (found === undefined || found === 'outside') throw vanished(path);
    return ownerOfClaim(path, (await collectAnswer(`read the claim of ${path}`, found.body)).toString());
  }

  async checkFree({ worldPath, cid }: Parameters<ArtifactStore['checkFree']>[0]): Promise<void> {
    const path = canonicalWorldPath(worldPath, 'exact');
    const found = await this.#writer.find(path);
    if (found !== undefined) meetExisting(path, found.stat, cid);
  }

  async dropUploads(uploadId: string): Promise<void> {
    checkUploadId(uploadId);
    await this.#uploads.drop(uploadId);
  }

  async sweepUploads({ olderThanS, isNeeded }: Parameters<ArtifactStore['sweepUploads']>[0]): Promise<number> {
    checkWithin('olderThanS', olderThanS, 0, Number.MAX_SAFE_INTEGER);
    return this.#uploads.sweep(this.#nowMs() - olderThanS * 1000, orNeeded(isNeeded));
  }

  async close(): Promise<void> {
    this.#bucket.close();
  }

  #lifetime(ttlS: number, audience: Audience = 'public') {
    checkWithin('ttlS', ttlS, 1, this.capabilities.presignTtlSMax);
    return { ttlS, audience, signingDate: new Date(this.#nowMs()) };
  }
}

/**
 * A store on a bucket, without asking the server anything.
 * @throws IsomorphError ERR_CONFIG for a URL that names no bucket
 */
export const unprobedS3Store = (url: URL, options: S3StoreOptions = {}): ArtifactStore =>
  new S3Store(parseBucketUrl(url), options);

/**
 * Opens a bucket as a store.
 * @throws IsomorphError ERR_CONFIG for a URL that names no bucket, a bucket that does not exist, credentials that are
 * refused, or a server that would overwrite; ERR_UNAVAILABLE when the server cannot be reached
 */
export async function openS3Store(url: URL, options: S3StoreOptions = {}): Promise<ArtifactStore> {
  const at = parseBucketUrl(url);
  const store = new S3Store(at, options);
  try {
    await store.prepare(at.create);
    return store;
  } catch (error) {
    await store.close();
    if (!(error instanceof IsomorphError) || error.code !== 'ERR_REFUSED') throw error;
    // Refused from the first, it is no outage.
    throw new IsomorphError('ERR_CONFIG', error.message, error.place);
  }
}

export const s3Store: StoreBackend = { open: openS3Store };
