/** Small helpers of the store's tests. */
import * as assert from 'uvu/assert';
import type { ErrorCode } from '../../shared/errors/codes.ts';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import type { ArtifactStore, ListEntry, PutResult } from '../../shared/world/artifact-store.ts';

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Bytes that differ everywhere, so that a lost or repeated piece shows. */
export const noise = (size: number, seed = 1): Uint8Array => {
  const bytes = new Uint8Array(size);
  let state = seed;
  for (let index = 0; index < size; index += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
};

export async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}

export async function collect(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Awaits a refusal and returns it; anything but an IsomorphError of this code fails the test. */
export async function refusal(attempt: Promise<unknown>, code: ErrorCode): Promise<IsomorphError> {
  try {
    await attempt;
  } catch (error) {
    if (!(error instanceof IsomorphError)) throw error;
    assert.is(error.code, code, error.message);
    return error;
  }
  return assert.unreachable(`expected ${code}`) as never;
}

export const putText = (store: ArtifactStore, worldPath: string, text: string): Promise<PutResult> =>
  store.putBytes({ worldPath, data: bytesOf(text), contentType: 'text/plain' });

export async function listAll(store: ArtifactStore, prefix: string, limit?: number): Promise<readonly ListEntry[]> {
  const found: ListEntry[] = [];
  let cursor: string | undefined;
  do {
    const page = await store.list({ prefix, ...(cursor && { cursor }), ...(limit && { limit }) });
    found.push(...page.entries);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return found;
}

/** A sweep of what is an hour old and nobody's. */
export const OLD = { olderThanS: 3600, isNeeded: async () => false };
