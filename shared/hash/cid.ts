/** Content identifiers: `blake3:` and the 64 hex digits that `b3sum` prints for the same bytes. */
import { blake3Hex } from './blake3.ts';

export type Cid = `blake3:${string}`;

const CID = /^blake3:[0-9a-f]{64}$/;

export const isCid = (value: unknown): value is Cid => typeof value === 'string' && CID.test(value);

/** @param hex 64 lower-case hex digits of a BLAKE3 hash */
export const cidOfHex = (hex: string): Cid => `blake3:${hex}`;

/** The CID of bytes, or of the UTF-8 form of a string. */
export const cidOf = (data: Uint8Array | string): Cid => cidOfHex(blake3Hex(data));
