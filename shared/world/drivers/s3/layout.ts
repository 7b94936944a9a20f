/** Where things lie in a bucket: artifacts under their own keys, what the store keeps for itself in `.isomorph/`. Pure. */
import { randomBytes } from 'node:crypto';
import { IsomorphError } from '../../../errors/isomorph-error.ts';
import { blake3Hex } from '../../../hash/blake3.ts';
import { canonicalWorldPath, FACETS, keyOf, PATH_LIMITS } from '../../../ids/world-path.ts';
import type { UploadName } from '../../artifact-store.ts';
import { checkUploadId } from '../../checks.ts';

/** A name nobody else chooses. */
export const randomName = (): string => randomBytes(16).toString('hex');

export class Layout {
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /**
   * @param path canonical
   * @throws IsomorphError ERR_TOO_LONG when bucket prefix and path exceed together what S3 allows
   */
  object(path: string): string {
    const key = this.#prefix + keyOf(path);
    if (Buffer.byteLength(key) <= PATH_LIMITS.key_bytes) return key;
    throw new IsomorphError('ERR_TOO_LONG', `${path} is too long for a bucket prefix of ${this.#prefix.length} bytes`, {
      pointer: path,
      expected: `at most ${PATH_LIMITS.key_bytes} bytes together`,
    });
  }

  /** What a key of the bucket is called in the World. */
  keyInWorld(key: string): string {
    return key.slice(this.#prefix.length);
  }

  /** Of the prefix that a listing goes through, and of the cursor it goes on from. */
  inBucket(key: string): string {
    return this.#prefix + key;
  }

  upload(name: UploadName): string {
    // Hashed, because prefix, upload id and path may be longer together than a key.
    return this.uploads(name.uploadId) + blake3Hex(canonicalWorldPath(name.worldPath, 'exact'));
  }

  /** Prefix of all that is staged under one upload id, or under any. */
  uploads(uploadId?: string): string {
    const staging = `${this.#prefix}.isomorph/staging/`;
    if (uploadId === undefined) return staging;
    checkUploadId(uploadId);
    return `${staging}${uploadId}/`;
  }

  /** Whose upload a staged object is. */
  uploadIdOf(key: string): string {
    return key.slice(this.uploads().length).split('/')[0] ?? '';
  }

  record(id: string): string {
    return `${this.#prefix}.isomorph/records/${id}.json`;
  }

  claim(path: string): string {
    return `${this.#prefix}.isomorph/claims/${blake3Hex(path)}.json`;
  }

  probe(): string {
    return `${this.#prefix}.isomorph/probe`;
  }

  /** Prefixes of everything that people see. */
  facets(): readonly string[] {
    return FACETS.map((facet) => `${this.#prefix}${facet}/`);
  }
}
