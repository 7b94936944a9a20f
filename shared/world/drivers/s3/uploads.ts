/** Staging of the `s3` driver: `.isomorph/staging/<upload id>/<hash of the WorldPath>`, written by presigned URLs only. */
import pLimit from 'p-limit';
import type { Bucket, ListedObject } from './bucket.ts';
import type { Layout } from './layout.ts';

const REMOVED_AT_ONCE = 8;

export class S3Uploads {
  readonly #bucket: Bucket;
  readonly #layout: Layout;

  constructor(bucket: Bucket, layout: Layout) {
    this.#bucket = bucket;
    this.#layout = layout;
  }

  async drop(uploadId: string): Promise<void> {
    await this.#removeWhere(this.#layout.uploads(uploadId), () => true);
  }

  /** Removes uploads last written before an instant, and objects in parts that stopped growing before it. */
  async sweep(beforeMs: number): Promise<number> {
    let removed = await this.#removeWhere(this.#layout.uploads(), ({ modifiedMs }) => modifiedMs < beforeMs);
    for (const prefix of [...this.#layout.facets(), this.#layout.probe()]) {
      for await (const upload of this.#bucket.multiparts(prefix)) {
        if (upload.modifiedMs >= beforeMs) continue;
        await this.#bucket.abortMultipart(upload);
        removed += 1;
      }
    }
    return removed;
  }

  async #removeWhere(prefix: string, isMeant: (entry: ListedObject) => boolean): Promise<number> {
    const limit = pLimit(REMOVED_AT_ONCE);
    let removed = 0;
    let after: string | undefined;
    do {
      const { found, more } = await this.#bucket.list({ prefix, ...(after === undefined ? {} : { after }) });
      const meant = found.filter(isMeant);
      await Promise.all(meant.map(({ key }) => limit(() => this.#bucket.remove(key))));
      removed += meant.length;
      after = more ? found.at(-1)?.key : undefined;
    } while (after !== undefined);
    return removed;
  }
}
