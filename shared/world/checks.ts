/** Checks of arguments that every driver shares. */
import { IsomorphError } from '../errors/isomorph-error.ts';
import type { Cid } from '../hash/cid.ts';
import { quoted } from '../ids/characters.ts';
import { type ByteRange, LIST_LIMIT_MAX, type PutResult } from './artifact-store.ts';

const MEDIA_TYPE = /^[a-z0-9!#$&^_.+-]+\/[a-z0-9!#$&^_.+-]+(?:\s*;\s*[a-z0-9-]+=(?:[\w.+-]+|"[\w .+:/-]*"))*$/i;
const UPLOAD_ID = /^[a-z0-9][a-z0-9_.-]{0,199}$/;

function refuse(what: string, expected: string): never {
  throw new IsomorphError('ERR_SCHEMA', what, { expected });
}

/** @throws IsomorphError ERR_SCHEMA */
export function checkContentType(contentType: string): void {
  if (contentType.length <= 255 && MEDIA_TYPE.test(contentType)) return;
  refuse(`${quoted(contentType)} is no content type`, 'type/subtype, with parameters if need be');
}

/** @throws IsomorphError ERR_SCHEMA */
export function checkUploadId(uploadId: string): void {
  if (UPLOAD_ID.test(uploadId)) return;
  refuse(`${quoted(uploadId)} is no upload id`, UPLOAD_ID.source);
}

/** @throws IsomorphError ERR_SCHEMA */
export function checkWithin(name: string, value: number, least: number, most: number): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return;
  refuse(`${name} is ${value}`, `an integer from ${least} to ${most}`);
}

/** The page size of a listing. @throws IsomorphError ERR_SCHEMA */
export function listLimit(limit: number | undefined): number {
  const chosen = limit ?? LIST_LIMIT_MAX;
  checkWithin('limit', chosen, 1, LIST_LIMIT_MAX);
  return chosen;
}

/**
 * A range made definite.
 * @param size bytes of the object
 * @throws IsomorphError ERR_RANGE
 */
export function resolveRange(
  range: ByteRange | undefined,
  size: number,
): { readonly offset: number; readonly length: number } {
  if (range === undefined) return { offset: 0, length: size };
  const { offset, length = size } = range;
  if (!Number.isSafeInteger(offset) || offset < 0 || offset >= size || !Number.isSafeInteger(length) || length < 1) {
    throw new IsomorphError('ERR_RANGE', `bytes ${offset}+${length} of an object of ${size} bytes`, {
      expected: 'an offset inside the object and a length of at least 1',
    });
  }
  return { offset, length: Math.min(length, size - offset) };
}

/** @throws IsomorphError ERR_CID_MISMATCH */
export function checkCid(path: string, actual: Cid, expected: Cid | undefined): void {
  if (expected === undefined || actual === expected) return;
  throw new IsomorphError('ERR_CID_MISMATCH', `${path} is ${actual}`, { pointer: path, expected });
}

/** @throws IsomorphError ERR_OUTPUT_TOO_LARGE */
export function checkUploadSize(path: string, size: number, maxBytes: number | undefined): void {
  if (maxBytes === undefined || size <= maxBytes) return;
  throw new IsomorphError('ERR_OUTPUT_TOO_LARGE', `${path} has ${size} bytes`, {
    pointer: path,
    expected: `at most ${maxBytes} bytes`,
  });
}

/**
 * The answer to a writer that met an artifact: success for the same bytes.
 * @throws IsomorphError ERR_IMMUTABLE for other bytes
 */
export function meetExisting(path: string, existing: Omit<PutResult, 'created'>, offered: Cid): PutResult {
  if (existing.cid !== offered) {
    throw new IsomorphError('ERR_IMMUTABLE', `${path} holds ${existing.cid}; refused ${offered}`, {
      pointer: path,
      expected: existing.cid,
    });
  }
  return { cid: existing.cid, sha256: existing.sha256, size: existing.size, created: false };
}

export const nothingSealed = (path: string): IsomorphError =>
  new IsomorphError('ERR_NOT_FOUND', `nothing is sealed for ${path}, and nothing is there`, { pointer: path });

/** Who cannot be asked whether they need something does need it. */
export const orNeeded =
  (isNeeded: (uploadId: string) => Promise<boolean>) =>
  (uploadId: string): Promise<boolean> =>
    isNeeded(uploadId).catch(() => true);
