/** The engine on Node: behind `#blake3` unless a browser is meant (package.json, docs/adr/0020). */
import { createRequire } from 'node:module';
import type { Blake3Engine } from './blake3-engine.ts';

const require = createRequire(import.meta.url);

/** The same bytes, as the native engine takes them. */
const bufferOf = (data: string | Uint8Array): string | Buffer =>
  typeof data === 'string' || Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength);

/** @throws when the package ships no build for this platform */
export function nativeEngine(): Blake3Engine {
  const { Blake3Hasher } = require('@napi-rs/blake-hash') as typeof import('@napi-rs/blake-hash');
  // Building a native hasher costs more than hashing an event, and a one-shot call cannot be interleaved with another.
  const reused = new Blake3Hasher();
  return {
    name: 'native',
    hex(data) {
      reused.reset();
      reused.update(bufferOf(data));
      return reused.digest('hex');
    },
    create() {
      const hasher = new Blake3Hasher();
      return {
        update(bytes) {
          hasher.update(bufferOf(bytes));
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

export const engine = chooseEngine();
