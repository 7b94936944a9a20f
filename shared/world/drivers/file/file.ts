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
import { IsomorphError } from '../../../errors/isomorph-error.ts';
import { type Cid, cidOf } from '../../../hash/cid.ts';
import { canonicalWorldPath, FACETS, isCanonicalKey, keyOf, pathOfKey } from '../../../ids/world-path.ts';
import type {
  ArtifactStat,
  ArtifactStore,
  ListEntry,
  ListPage,
  PromoteRequest,
  PutResult,
  StoreBackend,
  StoreOptions,
  UploadName,
} from '../../artifact-store.ts';
import {
  checkCid,
  checkContentType,
  checkUploadId,
  checkUploadSize,
  checkWithin,
  listLimit,
  resolveRange,
} from '../../checks.ts';
import { collectBody, hashBody, piecesOf, verifiedBody } from '../../content.ts';
import { readFileRange, writeNewFile } from './bytes.ts';
import { Folders, guarded, withTemporary } from './durable.ts';
import { Objects } from './objects.ts';
import { type Sidecar, Sidecars } from './sidecars.ts';
import { checkSecret, signUrl } from './signed-url.ts';
import { FileUploads } from './uploads.ts';
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

class FileStore implements FileArtifactStore {
  readonly driver = 'file';
  readonly capabilities = { pathUnderArtifact: false, uploadLimitInUrl: true, presignTtlSMax: 7 * 86_400 } as const;

  readonly #root: string;
  readonly #temporary: string;
  readonly #folders: Folders;
  readonly #sidecars: Sidecars;
  readonly #objects: Objects;
  readonly #uploads: FileUploads;
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
    const { url, secret } = this.#gateway();
    return signUrl(url, { method: 'GET', path, expiresS: this.#expiry(ttlS), readerId }, secret);
  }

  async presignPut(request: Parameters<ArtifactStore['presignPut']>[0]): Promise<string> {
    const { uploadId, contentType, maxBytes } = request;
    const path = canonicalWorldPath(request.worldPath, 'exact');
    checkUploadId(uploadId);
    checkContentType(contentType);
    checkWithin('maxBytes', maxBytes, 0, Number.MAX_SAFE_INTEGER);
    const { url, secret } = this.#gateway();
    const expiresS = this.#expiry(request.ttlS);
    return signUrl(url, { method: 'PUT', path, expiresS, uploadId, maxBytes, contentType }, secret);
  }

  async receiveUpload(request: Parameters<FileArtifactStore['receiveUpload']>[0]): Promise<{ readonly size: number }> {
    return guarded(`upload to ${request.worldPath}`, () =>
      this.#uploads.receive(request, request.body, request.maxBytes),
    );
  }

  async statUpload(upload: UploadName): Promise<{ readonly size: number } | undefined> {
    return guarded(`stat the upload to ${upload.worldPath}`, () => this.#uploads.stat(upload));
  }

  promote(request: PromoteRequest): Promise<PutResult | undefined> {
    return this.#withUpload(request, (path, file, sidecar) => this.#objects.publish(path, file, sidecar));
  }

  replaceOrphan(request: PromoteRequest & { readonly orphanCid: Cid }): Promise<PutResult | undefined> {
    return this.#withUpload(request, (path, file, sidecar) =>
      this.#objects.replace(path, file, sidecar, request.orphanCid),
    );
  }

  async dropUploads(uploadId: string): Promise<void> {
    await guarded(`drop ${uploadId}`, () => this.#uploads.drop(uploadId));
  }

  async sweepUploads({ olderThanS }: { readonly olderThanS: number }): Promise<number> {
    checkWithin('olderThanS', olderThanS, 0, Number.MAX_SAFE_INTEGER);
    return guarded('sweep uploads', () => this.#uploads.sweep(this.#nowMs() - olderThanS * 1000));
  }

  async close(): Promise<void> {
    // No handle outlives the call or the body that opened it.
  }

  async #withUpload(
    request: PromoteRequest,
    use: (path: string, file: string, sidecar: Sidecar) => Promise<PutResult>,
  ): Promise<PutResult | undefined> {
    const path = canonicalWorldPath(request.worldPath, 'exact');
    checkContentType(request.contentType);
    return guarded(`promote ${path}`, () =>
      this.#uploads.claim(request, async (file, size) => {
        checkUploadSize(path, size, request.maxBytes);
        const digest = await hashBody(readFileRange(file, { offset: 0, length: size }));
        return use(path, file, { ...digest, contentType: request.contentType });
      }),
    );
  }

  #nowMs(): number {
    return (this.#options.nowMs ?? Date.now)();
  }

  /** Unix seconds. */
  #expiry(ttlS: number): number {
    checkWithin('ttlS', ttlS, 1, this.capabilities.presignTtlSMax);
    return Math.ceil(this.#nowMs() / 1000) + ttlS;
  }

  #gateway(): { readonly url: string; readonly secret: Uint8Array } {
    const { gatewayUrl, gatewaySecret } = this.#options;
    if (gatewayUrl === undefined || gatewaySecret === undefined) {
      throw new IsomorphError('ERR_CONFIG', 'the file store was opened without a gateway, so it cannot sign URLs', {
        expected: 'gatewayUrl and gatewaySecret',
      });
    }
    checkSecret(gatewaySecret);
    return { url: gatewayUrl, secret: gatewaySecret };
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
