/**
 * BLAKE3 behind one pair: `blake3Hex` for bytes at hand and `createBlake3` for bytes that flow. Both are synchronous:
 * the native engine hashes several GB/s on one thread, so a worker would cost more than it saves (docs/adr/0020).
 */
import { createRequire } from 'node:module';

/** A hash in the making. Not reusable after `digestHex`. */
export interface Blake3Stream {
  update(bytes: Uint8Array): this;
  /** 64 lower-case hex digits, as `b3sum` prints them. */
  digestHex(): string;
}

export interface Blake3Engine {
  readonly name: 'native' | 'wasm';
  hex(data: Uint8Array | string): string;
  create(): Blake3Stream;
}

const require = createRequire(import.meta.url);

/** @throws when the package ships no build for this platform */
export function nativeEngine(): Blake3Engine {
  const { Blake3Hasher } = require('@napi-rs/blake-hash') as typeof import('@napi-rs/blake-hash');
  // Building a native hasher costs more than hashing an event, and a one-shot call cannot be interleaved with another.
  const reused = new Blake3Hasher();
  return {
    name: 'native',
    hex(data) {
      reused.reset();
      reused.update(data);
      return reused.digest('hex');
    },
    create() {
      const hasher = new Blake3Hasher();
      return {
        update(bytes) {
          hasher.update(bytes);
          return this;
        },
        digestHex: () => hasher.digest('hex'),
      };
    },
  };
}

/** Slower by a factor of seven on large inputs, but it runs wherever Node does. */
export function wasmEngine(): Blake3Engine {
  const { createHash, hash } = require('blake3') as typeof import('blake3');
  return {
    name: 'wasm',
    hex: (data) => hash(data).toString('hex'),
    create() {
      const hasher = createHash();
      return {
        update(bytes) {
          hasher.update(bytes);
          return this;
        },
        digestHex: () => hasher.digest('hex'),
      };
    },
  };
}

function chooseEngine(): Blake3Engine {
  try {
    return nativeEngine();
  } catch {
    // No prebuilt binary for this platform. The digests are the same; `blake3EngineName` lets `doctor` tell the user.
    return wasmEngine();
  }
}

const engine = chooseEngine();

export const blake3EngineName = engine.name;

/**
 * BLAKE3 of bytes, or of the UTF-8 form of a string.
 * @returns 64 lower-case hex digits
 */
export const blake3Hex = (data: Uint8Array | string): string => engine.hex(data);

/** A hasher for bytes that arrive in pieces; the pieces may be reused by the caller after `update` returns. */
export const createBlake3 = (): Blake3Stream => engine.create();
