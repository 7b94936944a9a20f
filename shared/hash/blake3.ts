/**
 * BLAKE3 behind one pair: `blake3Hex` for bytes at hand and `createBlake3` for bytes that flow. Both are synchronous:
 * the native engine hashes several GB/s on one thread, so a worker would cost more than it saves (docs/adr/0020).
 */
import { engine } from '#blake3';
import type { Blake3Stream } from './blake3-engine.ts';

export const blake3EngineName = engine.name;

/**
 * BLAKE3 of bytes, or of the UTF-8 form of a string.
 * @returns 64 lower-case hex digits
 */
export const blake3Hex = (data: Uint8Array | string): string => engine.hex(data);

/** A hasher for bytes that arrive in pieces; the pieces may be reused by the caller after `update` returns. */
export const createBlake3 = (): Blake3Stream => engine.create();
