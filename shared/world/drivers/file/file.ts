/**
 * ArtifactStore in a folder: `file:///dir`. Objects lie where people look for them (`/artifacts/a` is `dir/artifacts/a`,
 * read-only); what the store keeps for itself lies in `dir/.isomorph/`. Every process may open the same folder.
 *
 * An object is created by `link()` of a finished, synced file, so it is visible whole or not at all, and one of many
 * writers wins. The folder must be one file system: links do not cross.
 */
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LRUCache } from 'lru-cache';
import { IsomorphError } from '../../../errors/isomorph-error.ts';
import { type Cid, cidOf } from '../../../hash/cid.ts';
import { canonicalWorldPath, FACETS, isCanonicalKey, keyOf, pathOfKey } from '../../../ids/world-path.ts';
import type {
  ArtifactStat,
  ArtifactStore,
  ClaimRequest,
  ListEntry,
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
  checkUploadSize,
  checkWithin,
  listLimit,
  meetExisting,
  nothingSealed,
  orNeeded,
  resolveRange,
} from '../../checks.ts';
import { type ContentDigest, collectBody, hashBody, piecesOf, verifiedBody } from '../../content.ts';
import { readFileRange, writeNewFile } from './bytes.ts';
import { Claims } from './claims.ts';
import { Folders, guarded, withTemporary } from './durable.ts';
import { Objects } from './objects.ts';
import { Sidecars } from './sidecars.ts';
import { gatewayOf, signUrl } from './signed-url.ts';
import { FileUploads, type SealedFile } from './uploads.ts';
import { walkKeys } from './walk.ts';

/** What `file` can do beyond the interface, for its gateway. */
export interface FileArtifactStore extends ArtifactStore {
  readonly driver: 'file';
  /**
   * Takes the body of an upload into staging, whole or not at all.
   * @throws IsomorphError ERR_OUTPUT_TOO_LARGE as soon as the body exceeds `maxBytes`
   */
  receiveUpload(
    request: UploadName & { readonly body: AsyncIterable<Uint8Array>; readonly maxBytes: number },
  ): Promise<{ readonly size: number }>;
}

const DIGESTS_MAX = 10_000;

class FileStore implements FileArtifactStore {
  readonly driver = 'file';
  readonly capabilities = {
    pathUnderArtifact: false,
    uploadLimitInUrl: true,
    uploadOnce: false,
    presignTtlSMax: 7 * 86_400,
  } as const;

  readonly #root: string;
  readonly #temporary: string;
  readonly #folders: Folders;
  readonly #sidecars: Sidecars;
  readonly #objects: Objects;
  readonly #uploads: FileUploads;
  readonly #claims: Claims;
  /** By the identity of a sealed file. */
  readonly #digests = new LRUCache<string, ContentDigest>({ max: DIGESTS_MAX });
  readonly #options: StoreOptions;

  constructor(root: string, options: StoreOptions) {
    const own = join(root, '.isomorph');
    this.#root = root;
    this.#options = options;
    this.#temporary = join(own, 'temporary');
    this.#folders = new Folders(root);
    this.#sidecars = new Sidecars(
      { root, meta: join(own, 'meta'), contested: join(own, 'contested'), temporary: this.#temporary },
      this.#folders,
    );
    this.#objects = new Objects(root, this.#folders, this.#sidecars);
    this.#uploads = new FileUploads(join(own, 'staging'), this.#temporary, this.#folders);
    this.#claims = new Claims(join(own, 'claims'), this.#temporary, this.#folders);
  }

  async prepare(): Promise<void> {
    const own = ['temporary', 'staging', 'meta'].map((name) => join(this.#root, '.isomorph', name));
    const visible = FACETS.map((facet) => join(this.#root, facet));
    for (const folder of [...own, ...visible]) await this.#folders.ensure(folder);
  }

  computeCid(data: Uint8Array): Cid {
    return cidOf(data);
  }

  putBytes({ worldPath, data, contentType }: Parameters<ArtifactStore['putBytes']>[0]): Promise<PutResult> {
    return this.put({ worldPath, body: piecesOf(data), contentType });
  }

  async put({ worldPath, body, contentType, expectedCid }: Parameters<ArtifactStore['put']>[0]): Promise<PutResult> {
    const path = canonicalWorldPath(worldPath, 'exact');
    checkContentType(contentType);
    return guarded(`put ${path}`, () =>
      withTemporary(this.#temporary, async (temporary) => {
        const digest = await writeNewFile(temporary, body);
        checkCid(path, digest.cid, expectedCid);
        return this.#objects.publish(path, temporary, { ...digest, contentType });
      }),
    );
  }

  async getBytes(request: Parameters<ArtifactStore['getBytes']>[0]): Promise<Uint8Array> {
    const { body } = await this.get(request);
    return collectBody(body);
  }

  async get({ worldPath, range, expectedCid }: Parameters<ArtifactStore['get']>[0]) {
    const path = canonicalWorldPath(worldPath, 'exact');
    const stat = await this.stat(path);
    if (stat === undefined) throw new IsomorphError('ERR_NOT_FOUND', `${path} does not exist`, { pointer: path });
    checkCid(path, stat.cid, expectedCid);
    const body = readFileRange(this.#objects.fileOf(path), resolveRange(range, stat.size));
    if (expectedCid === undefined || range !== undefined) return { stat, body };
    return { stat, body: verifiedBody(body, path, expectedCid) };
  }

  async stat(worldPath: string): Promise<ArtifactStat | undefined> {
    const path = canonicalWorldPath(worldPath, 'exact');
    const sidecar = await guarded(`stat ${path}`, () => this.#sidecars.resolve(path));
    return sidecar === undefined ? undefined : { path, ...sidecar };
  }

  async list({ prefix, cursor = '', limit }: Parameters<ArtifactStore['list']>[0]): Promise<ListPage> {
    const folder = keyOf(canonicalWorldPath(prefix, 'prefix'));
    const most = listLimit(limit);
    return guarded(`list ${folder}`, async () => {
      const entries: ListEntry[] = [];
      if (await this.#folders.leadsOut(join(this.#root, folder))) return { entries, cursor: undefined };
      for await (const key of walkKeys(this.#root, folder, cursor)) {
        if (!isCanonicalKey(key)) continue;
        // One more than fits tells that there is a next page.
        if (entries.length === most) return { entries, cursor: keyOf(entries.at(-1)?.path ?? '') };
        entries.push({ path: pathOfKey(key), size: (await lstat(join(this.#root, key))).size });
      }
      return { entries, cursor: undefined };
    });
  }

  async presign({ worldPath, ttlS, readerId = '' }: Parameters<ArtifactStore['presign']>[0]): Promise<string> {
    const path = canonicalWorldPath(worldPath, 'exact');
    if (readerId !== '') checkUploadId(readerId);
    const { url, secret } = gatewayOf(this.#options);
    return signUrl(url, { method: 'GET', path, expiresS: this.#expiry(ttlS), readerId }, secret);
  }

  async presignPut(request: Parameters<ArtifactStore['presignPut']>[0]): Promise<UploadUrl> {
    const { uploadId, contentType, maxBytes } = request;
    const path = canonicalWorldPath(request.worldPath, 'exact');
    checkUploadId(uploadId);
    checkContentType(contentType);
    checkWithin('maxBytes', maxBytes, 0, Number.MAX_SAFE_INTEGER);
    const { url, secret } = gatewayOf(this.#options);
    const expiresS = this.#expiry(request.ttlS);
    const grant = { method: 'PUT', path, expiresS, uploadId, maxBytes, contentType } as const;
    return { url: signUrl(url, grant, secret), headers: {} };
  }

  async receiveUpload(request: Parameters<FileArtifactStore['receiveUpload']>[0]): Promise<{ readonly size: number }> {
    return guarded(`upload to ${request.worldPath}`, () =>
      this.#uploads.receive(request, request.body, request.maxBytes),
    );
  }

  async statUpload(upload: UploadName): Promise<{ readonly size: number } | undefined> {
    return guarded(`stat the upload to ${upload.worldPath}`, () => this.#uploads.stat(upload));
  }

  async seal(request: SealRequest): Promise<Sealed | undefined> {
    const path = canonicalWorldPath(request.worldPath, 'exact');
    return guarded(`seal ${path}`, async () => {
      const sealed = await this.#uploads.seal(request);
      if (sealed === undefined) return undefined;
      checkUploadSize(path, sealed.size, request.maxBytes);
      return this.#digestOf(sealed);
    });
  }

  async sealBytes(request: Parameters<ArtifactStore['sealBytes']>[0]): Promise<Sealed> {
    const path = canonicalWorldPath(request.worldPath, 'exact');
    return guarded(`seal ${path}`, () =>
      withTemporary(this.#temporary, async (temporary) => {
        await writeNewFile(temporary, piecesOf(request.data));
        const sealed = await this.#uploads.sealFile(request, temporary);
        if (sealed === undefined) throw nothingSealed(path);
        return this.#digestOf(sealed);
      }),
    );
  }

  async show(request: ShowRequest): Promise<PutResult> {
    const { cid, sha256, size, contentType } = request;
    const path = canonicalWorldPath(request.worldPath, 'exact');
    checkContentType(contentType);
    return guarded(`show ${path}`, async () => {
      const sealed = await this.#uploads.findSealed(request);
      const found = sealed === undefined ? undefined : (await this.#digestOf(sealed)).cid;
      if (sealed !== undefined && found === cid) {
        return this.#objects.publish(path, sealed.file, { cid, sha256, size, contentType });
      }
      // Already shown, its staging may have been dropped, and what came later been sealed there.
      const existing = await this.#sidecars.resolve(path);
      if (existing !== undefined) return meetExisting(path, existing, cid);
      if (found !== undefined) checkCid(path, found, cid);
      throw nothingSealed(path);
    });
  }

  /** Of a sealed file, hashed once a process: its bytes do not change. */
  async #digestOf({ file, size, identity }: SealedFile): Promise<ContentDigest> {
    const known = this.#digests.get(identity);
    if (known !== undefined) return known;
    const digest = await hashBody(readFileRange(file, { offset: 0, length: size }));
    this.#digests.set(identity, digest);
    return digest;
  }

  async claim({ worldPath, owner }: ClaimRequest): Promise<string> {
    const path = canonicalWorldPath(worldPath, 'exact');
    return guarded(`claim ${path}`, () => this.#claims.take(path, owner));
  }

  async checkFree({ worldPath, cid }: Parameters<ArtifactStore['checkFree']>[0]): Promise<void> {
    const path = canonicalWorldPath(worldPath, 'exact');
    await guarded(`look at ${path}`, () => this.#objects.checkFree(path, cid));
  }

  async dropUploads(uploadId: string): Promise<void> {
    await guarded(`drop ${uploadId}`, () => this.#uploads.drop(uploadId));
  }

  async sweepUploads({ olderThanS, isNeeded }: Parameters<ArtifactStore['sweepUploads']>[0]): Promise<number> {
    checkWithin('olderThanS', olderThanS, 0, Number.MAX_SAFE_INTEGER);
    return guarded('sweep uploads', () => this.#uploads.sweep(this.#nowMs() - olderThanS * 1000, orNeeded(isNeeded)));
  }

  async close(): Promise<void> {
    // No handle outlives the call or the body that opened it.
  }

  #nowMs(): number {
    return (this.#options.nowMs ?? Date.now)();
  }

  /** Unix seconds. */
  #expiry(ttlS: number): number {
    checkWithin('ttlS', ttlS, 1, this.capabilities.presignTtlSMax);
    return Math.ceil(this.#nowMs() / 1000) + ttlS;
  }
}

function folderOf(url: URL): string {
  if (url.host === '' && url.search === '' && url.hash === '' && url.pathname !== '/') return fileURLToPath(url);
  throw new IsomorphError('ERR_CONFIG', `${url.href} is no folder`, { expected: 'file:///absolute/path' });
}

/**
 * Opens a folder as a store, creating it when need be.
 * @throws IsomorphError ERR_CONFIG for another URL; ERR_UNAVAILABLE when the folder cannot be used
 */
export async function openFileStore(url: URL, options: StoreOptions = {}): Promise<FileArtifactStore> {
  const folder = folderOf(url).replace(/\/+$/, '');
  const store = new FileStore(folder, options);
  await guarded(`open ${folder}`, () => store.prepare());
  return store;
}

export const fileStore: StoreBackend = { open: openFileStore };
