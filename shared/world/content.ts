/** Hashing of bytes on their way through: both digests in one pass, and verification that holds back the end. */
import { createHash } from 'node:crypto';
import { createBlake3 } from '../hash/blake3.ts';
import { type Cid, cidOfHex } from '../hash/cid.ts';
import { checkCid } from './checks.ts';

export interface ContentDigest {
  readonly cid: Cid;
  readonly sha256: string;
  /** Bytes. */
  readonly size: number;
}

export interface ContentHash {
  update(bytes: Uint8Array): void;
  digest(): ContentDigest;
}

/** BLAKE3 for us, SHA-256 for verifiers that know only that, and the size. */
export function createContentHash(): ContentHash {
  const blake3 = createBlake3();
  const sha256 = createHash('sha256');
  let size = 0;
  return {
    update(bytes) {
      blake3.update(bytes);
      sha256.update(bytes);
      size += bytes.byteLength;
    },
    digest: () => ({ cid: cidOfHex(blake3.digestHex()), sha256: sha256.digest('hex'), size }),
  };
}

export async function hashBody(body: AsyncIterable<Uint8Array>): Promise<ContentDigest> {
  const hash = createContentHash();
  for await (const chunk of body) hash.update(chunk);
  return hash.digest();
}

/** Bytes at hand as a body of pieces small enough to let the event loop breathe between them. */
export async function* piecesOf(data: Uint8Array, pieceBytes = 1024 * 1024): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < data.byteLength; at += pieceBytes) yield data.subarray(at, at + pieceBytes);
}

/**
 * Passes a whole body on, its last chunk only after the hash proved right.
 * @throws IsomorphError ERR_CID_MISMATCH
 */
export async function* verifiedBody(
  body: AsyncIterable<Uint8Array>,
  path: string,
  expectedCid: Cid,
): AsyncGenerator<Uint8Array> {
  const blake3 = createBlake3();
  let held: Uint8Array | undefined;
  for await (const chunk of body) {
    blake3.update(chunk);
    if (held !== undefined) yield held;
    held = chunk;
  }
  checkCid(path, cidOfHex(blake3.digestHex()), expectedCid);
  if (held !== undefined) yield held;
}

export async function collectBody(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}
