/** Creation of objects: in one request, or in parts; visible whole or not at all, and the first one stays. */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { IsomorphError } from '../../../errors/isomorph-error.ts';
import { type Cid, cidOf } from '../../../hash/cid.ts';
import type { ArtifactStat, PutResult } from '../../artifact-store.ts';
import { checkCid, meetExisting } from '../../checks.ts';
import { type ContentDigest, type ContentHash, createContentHash } from '../../content.ts';
import { type Part, partsOf } from './body.ts';
import type { Bucket, MultipartName, ObjectHead, WriteOutcome } from './bucket.ts';
import { type Layout, randomName } from './layout.ts';
import { metadataOf, type Records } from './records.ts';

export interface FoundObject {
  readonly head: ObjectHead;
  readonly stat: ArtifactStat;
}

export interface WriteRequest {
  /** Canonical. */
  readonly path: string;
  readonly contentType: string;
  readonly expectedCid?: Cid | undefined;
  /** Size of the body where it is known. */
  readonly expectedBytes?: number;
  /** Fewer take less memory. */
  readonly partsInFlight?: number;
}

const PARTS_IN_FLIGHT_DEFAULT = 4;
/** Of a copy, in one request: far below what the server may take before its answer is given up. */
const COPIED_AT_ONCE_BYTES = 128 * 1024 * 1024;
const CONFLICTS_MAX = 8;
const CONFLICT_PAUSE_MS = 50;

const created = ({ cid, sha256, size }: ContentDigest): PutResult => ({ cid, sha256, size, created: true });

/** Of bytes at hand: `cidOf` builds no hasher for them, which would cost more than hashing a small object. */
export const digestOfBytes = (data: Uint8Array): ContentDigest => ({
  cid: cidOf(data),
  sha256: createHash('sha256').update(data).digest('hex'),
  size: data.byteLength,
});

export class Writer {
  readonly #bucket: Bucket;
  readonly #layout: Layout;
  readonly #records: Records;

  constructor(bucket: Bucket, layout: Layout, records: Records) {
    this.#bucket = bucket;
    this.#layout = layout;
    this.#records = records;
  }

  async find(path: string): Promise<FoundObject | undefined> {
    const head = await this.#bucket.head(this.#layout.object(path));
    return head === undefined ? undefined : { head, stat: await this.#records.describe(path, head) };
  }

  async writeBody(request: WriteRequest, body: AsyncIterable<Uint8Array>): Promise<PutResult> {
    const parts = partsOf(body, request.expectedBytes);
    try {
      const { value: first } = await parts.next();
      if (first === undefined) throw new IsomorphError('ERR_INTERNAL', `${request.path}: a body without a part`);
      if (first.last) return await this.writeBytes(request, first.data);
      return await this.#writeParts(request, first, parts);
    } finally {
      await parts.return(undefined);
    }
  }

  /**
   * @param data at most PART_BYTES
   * @param digest of `data`, where whoever has it has hashed it
   */
  async writeBytes(request: WriteRequest, data: Uint8Array, digest = digestOfBytes(data)): Promise<PutResult> {
    const { path, contentType } = request;
    checkCid(path, digest.cid, request.expectedCid);
    const writer = randomName();
    const key = this.#layout.object(path);
    const metadata = metadataOf(digest, writer);
    return this.#settle(path, digest, writer, () =>
      this.#bucket.create({ key, data, sha256: digest.sha256, contentType, metadata }),
    );
  }

  async #writeParts(request: WriteRequest, first: Part, rest: AsyncIterable<Part>): Promise<PutResult> {
    const { path, contentType } = request;
    const hash = createContentHash();
    const existing = await this.find(path);
    if (existing !== undefined) return this.#compare(request, existing, hash, first, rest);
    const writer = randomName();
    const key = this.#layout.object(path);
    const upload = await this.#bucket.createMultipart({ key, contentType, metadata: { record: writer, writer } });
    let completed = false;
    try {
      const inFlightMax = request.partsInFlight ?? PARTS_IN_FLIGHT_DEFAULT;
      const etags = await this.#sendParts(upload, inFlightMax, hash, first, rest);
      const digest = hash.digest();
      checkCid(path, digest.cid, request.expectedCid);
      await this.#records.write(writer, path, digest);
      const result = await this.#settle(path, digest, writer, () => this.#bucket.completeMultipart(upload, etags));
      completed = result.created;
      return result;
    } finally {
      // What cannot be aborted now (the server is gone, the process dies) is swept later.
      if (!completed) await this.#bucket.abortMultipart(upload).catch(() => undefined);
    }
  }

  /** Nothing needs to be sent to a path that is taken: its hash decides. */
  async #compare(
    { path, expectedCid }: WriteRequest,
    existing: FoundObject,
    hash: ContentHash,
    first: Part,
    rest: AsyncIterable<Part>,
  ): Promise<PutResult> {
    hash.update(first.data);
    first.release();
    for await (const part of rest) {
      hash.update(part.data);
      part.release();
    }
    const { cid } = hash.digest();
    checkCid(path, cid, expectedCid);
    return meetExisting(path, existing.stat, cid);
  }

  /** A few parts at once; returns their ETags in order. When the body or a part fails, all that was sent has ended. */
  async #sendParts(
    upload: MultipartName,
    inFlightMax: number,
    hash: ContentHash,
    first: Part,
    rest: AsyncIterable<Part>,
  ): Promise<readonly string[]> {
    const etags: string[] = [];
    const inFlight = new Set<Promise<void>>();
    const faults: unknown[] = [];
    const send = async (part: Part): Promise<void> => {
      try {
        etags[part.number - 1] = await this.#bucket.putPart(upload, part.number, part.data);
        part.release();
      } catch (error) {
        faults.push(error);
      }
    };
    const begin = async (part: Part): Promise<void> => {
      const sending: Promise<void> = send(part).finally(() => inFlight.delete(sending));
      inFlight.add(sending);
      // While the bytes are on their way, they are hashed.
      hash.update(part.data);
      if (inFlight.size >= inFlightMax) await Promise.race(inFlight);
    };
    try {
      await begin(first);
      for await (const part of rest) {
        if (faults.length > 0) break;
        await begin(part);
      }
    } finally {
      await Promise.all(inFlight);
    }
    if (faults.length > 0) throw faults[0];
    return etags;
  }

  /** Creates an object as a copy, made by the server, of one that nobody else can change and that hashes to `digest`. */
  async copy({ path, contentType }: WriteRequest, source: string, digest: ContentDigest): Promise<PutResult> {
    const existing = await this.find(path);
    if (existing !== undefined) return meetExisting(path, existing.stat, digest.cid);
    const writer = randomName();
    const key = this.#layout.object(path);
    const upload = await this.#bucket.createMultipart({ key, contentType, metadata: metadataOf(digest, writer) });
    let completed = false;
    try {
      const etags: string[] = [];
      for (let offset = 0; offset < digest.size; offset += COPIED_AT_ONCE_BYTES) {
        const length = Math.min(COPIED_AT_ONCE_BYTES, digest.size - offset);
        etags.push(await this.#bucket.copyPart(upload, etags.length + 1, source, { offset, length }));
      }
      const result = await this.#settle(path, digest, writer, () => this.#bucket.completeMultipart(upload, etags));
      completed = result.created;
      return result;
    } finally {
      // What cannot be aborted now is swept later.
      if (!completed) await this.#bucket.abortMultipart(upload).catch(() => undefined);
    }
  }

  /** Writes where nothing is and finds out what an answer other than success means. */
  async #settle(
    path: string,
    digest: ContentDigest,
    writer: string,
    write: () => Promise<WriteOutcome>,
  ): Promise<PutResult> {
    for (let attempt = 0; attempt < CONFLICTS_MAX; attempt += 1) {
      if ((await write()) === 'done') return created(digest);
      const found = await this.find(path);
      // An earlier try of this very call, whose answer was lost on the way.
      if (found?.head.metadata.writer === writer) return created(digest);
      if (found !== undefined) return meetExisting(path, found.stat, digest.cid);
      await delay(Math.random() * CONFLICT_PAUSE_MS * 2 ** attempt);
    }
    throw new IsomorphError('ERR_UNAVAILABLE', `${path}: other writers are in the way`, { pointer: path });
  }
}
