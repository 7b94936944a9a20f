/**
 * What is known of an object beside its bytes. Small objects carry it in their metadata. An object in parts is named
 * before its hash is known, so it carries the name of a record that is written before the object becomes visible
 * (docs/adr/0024). Where both fail (a bucket copied in part, a file laid there by hand) the bytes tell.
 */
import { LRUCache } from 'lru-cache';
import { IsomorphError } from '../../../errors/isomorph-error.ts';
import { isCid } from '../../../hash/cid.ts';
import type { ArtifactStat } from '../../artifact-store.ts';
import { type ContentDigest, hashBody } from '../../content.ts';
import { collectAnswer } from './body.ts';
import type { Bucket, ObjectHead } from './bucket.ts';
import { translated } from './faults.ts';
import type { Layout } from './layout.ts';

const SHA256 = /^[0-9a-f]{64}$/;
const RECORD_NAME = /^[0-9a-f]{32}$/;
const RECORD_BYTES_MAX = 4096;
const REMEMBERED_MAX = 10_000;

export const metadataOf = ({ cid, sha256 }: ContentDigest, writer: string): Record<string, string> => ({
  ...{ cid, sha256, writer },
});

function digestOf(fields: Readonly<Record<string, unknown>>, size: number): ContentDigest | undefined {
  const { cid, sha256 } = fields;
  return isCid(cid) && typeof sha256 === 'string' && SHA256.test(sha256) ? { cid, sha256, size } : undefined;
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    // A damaged record counts as none: the bytes themselves still tell their hashes.
    return {};
  }
}

export class Records {
  readonly #bucket: Bucket;
  readonly #layout: Layout;
  /** By key and ETag: what a record or the bytes told, which takes another request to learn. */
  readonly #remembered = new LRUCache<string, ContentDigest>({ max: REMEMBERED_MAX });

  constructor(bucket: Bucket, layout: Layout) {
    this.#bucket = bucket;
    this.#layout = layout;
  }

  async describe(path: string, head: ObjectHead): Promise<ArtifactStat> {
    const { contentType, size } = head;
    const digest = digestOf(head.metadata, size) ?? (await this.#look(path, head));
    return { path, ...digest, contentType };
  }

  async write(name: string, path: string, digest: ContentDigest): Promise<void> {
    const { cid, sha256, size } = digest;
    const data = Buffer.from(`${JSON.stringify({ path, cid, sha256, size })}\n`);
    const key = this.#layout.record(name);
    const outcome = await this.#bucket.create({ key, data, contentType: 'application/json' });
    // Nobody else chooses this name: a refusal means that an earlier try of this call has written it.
    if (outcome === 'conflict')
      throw new IsomorphError('ERR_UNAVAILABLE', `${key} is being written`, { pointer: path });
  }

  async #look(path: string, head: ObjectHead): Promise<ContentDigest> {
    const name = `${path} ${head.etag}`;
    const known = this.#remembered.get(name);
    if (known !== undefined) return known;
    const digest = (await this.#recorded(path, head)) ?? (await this.#rehashed(path, head));
    this.#remembered.set(name, digest);
    return digest;
  }

  async #recorded(path: string, { metadata, size }: ObjectHead): Promise<ContentDigest | undefined> {
    const { record = '' } = metadata;
    if (!RECORD_NAME.test(record)) return undefined;
    const found = await this.#bucket.get(this.#layout.record(record));
    if (found === undefined || found === 'outside') return undefined;
    if (found.head.size > RECORD_BYTES_MAX) {
      found.body.destroy();
      return undefined;
    }
    const fields = parsed((await collectAnswer(`read the record of ${path}`, found.body)).toString());
    return fields.path === path && fields.size === size ? digestOf(fields, size) : undefined;
  }

  async #rehashed(path: string, { etag }: ObjectHead): Promise<ContentDigest> {
    const found = await this.#bucket.get(this.#layout.object(path), undefined, etag);
    if (found === undefined || found === 'outside') {
      throw new IsomorphError('ERR_UNAVAILABLE', `${path} vanished while it was read`, { pointer: path });
    }
    try {
      return await hashBody(found.body);
    } catch (error) {
      throw translated(`hash ${path}`, error);
    }
  }
}
