/**
 * Staging of the `s3` driver: `.isomorph/staging/<upload id>/<hash of the WorldPath>`. Whoever writes there does it under
 * the condition that nothing is there, so what has arrived is sealed: only we remove it, after it is shown.
 */
import type { Readable } from 'node:stream';
import { LRUCache } from 'lru-cache';
import pLimit from 'p-limit';
import { IsomorphError } from '../../../errors/isomorph-error.ts';
import type { UploadName } from '../../artifact-store.ts';
import { checkUploadSize } from '../../checks.ts';
import { type ContentDigest, hashBody } from '../../content.ts';
import { collectAnswer, PART_BYTES } from './body.ts';
import type { Bucket, ListedObject } from './bucket.ts';
import { translated } from './faults.ts';
import type { Layout } from './layout.ts';
import { digestOfBytes } from './writer.ts';

const REMOVED_AT_ONCE = 8;
/** Of bytes that were hashed and are to be shown next, in memory. */
const HELD_BYTES = 32 * 1024 * 1024;
/** An entry without its bytes. */
const ENTRY_BYTES = 1024;

/** What an upload hashed to, with its bytes where they were few enough to be sent on from here. */
export interface Hashed {
  readonly digest: ContentDigest;
  readonly data?: Uint8Array;
}

async function hashedAnswer(what: string, size: number, body: Readable): Promise<Hashed> {
  if (size <= PART_BYTES) {
    const data = await collectAnswer(what, body);
    return { digest: digestOfBytes(data), data };
  }
  try {
    return { digest: await hashBody(body) };
  } catch (error) {
    throw translated(what, error);
  }
}

export class S3Uploads {
  readonly #bucket: Bucket;
  readonly #layout: Layout;
  readonly #hashed = new LRUCache<string, Hashed>({
    maxSize: HELD_BYTES,
    sizeCalculation: ({ data }) => ENTRY_BYTES + (data?.byteLength ?? 0),
  });

  constructor(bucket: Bucket, layout: Layout) {
    this.#bucket = bucket;
    this.#layout = layout;
  }

  /** The bytes of an upload as they arrived, hashed. */
  async seal(name: UploadName, path: string, maxBytes?: number): Promise<Hashed | undefined> {
    const key = this.#layout.upload(name);
    const staged = await this.#bucket.get(key);
    if (staged === undefined || staged === 'outside') return undefined;
    const { head, body } = staged;
    try {
      checkUploadSize(path, head.size, maxBytes);
      const hashed = await hashedAnswer(`hash the upload to ${path}`, head.size, body);
      this.#hashed.set(key, hashed);
      return hashed;
    } finally {
      body.destroy();
    }
  }

  /** Stages bytes at hand, unless something is there. */
  async sealBytes(name: UploadName, path: string, data: Uint8Array): Promise<Hashed> {
    const key = this.#layout.upload(name);
    const digest = digestOfBytes(data);
    const request = { key, data, sha256: digest.sha256, contentType: 'application/octet-stream' };
    // Of another dispatcher, or an earlier try of this call: what is there tells.
    if ((await this.#bucket.create(request)) !== 'done') {
      const there = await this.seal(name, path);
      if (there === undefined) throw new IsomorphError('ERR_UNAVAILABLE', `${path}: others are in the way`);
      return there;
    }
    const hashed = { digest, data };
    this.#hashed.set(key, hashed);
    return hashed;
  }

  /** What this process has hashed of an upload. */
  known(name: UploadName): Hashed | undefined {
    return this.#hashed.get(this.#layout.upload(name));
  }

  async drop(uploadId: string): Promise<void> {
    await this.#removeWhere(this.#layout.uploads(uploadId), async () => true);
  }

  /** Removes uploads written before an instant that nobody needs, and objects in parts that stopped growing before it. */
  async sweep(beforeMs: number, isNeeded: (uploadId: string) => Promise<boolean>): Promise<number> {
    const asked = new Map<string, Promise<boolean>>();
    let removed = await this.#removeWhere(this.#layout.uploads(), async ({ key, modifiedMs }) => {
      if (modifiedMs >= beforeMs) return false;
      const uploadId = this.#layout.uploadIdOf(key);
      const needed = asked.get(uploadId) ?? isNeeded(uploadId);
      asked.set(uploadId, needed);
      return !(await needed);
    });
    for (const prefix of [...this.#layout.facets(), this.#layout.probe()]) {
      for await (const upload of this.#bucket.multiparts(prefix)) {
        if (upload.modifiedMs >= beforeMs) continue;
        await this.#bucket.abortMultipart(upload);
        removed += 1;
      }
    }
    return removed;
  }

  async #removeWhere(prefix: string, isMeant: (entry: ListedObject) => Promise<boolean>): Promise<number> {
    const limit = pLimit(REMOVED_AT_ONCE);
    let removed = 0;
    let after: string | undefined;
    do {
      const { found, more } = await this.#bucket.list({ prefix, ...(after === undefined ? {} : { after }) });
      const removeIfMeant = async (entry: ListedObject): Promise<void> => {
        if (!(await isMeant(entry))) return;
        await this.#bucket.remove(entry.key);
        removed += 1;
      };
      await Promise.all(found.map((entry) => limit(() => removeIfMeant(entry))));
      after = more ? found.at(-1)?.key : undefined;
    } while (after !== undefined);
    return removed;
  }
}
