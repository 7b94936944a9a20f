/** The engine in a browser: behind `#blake3` where a bundler asks for `browser` (package.json, docs/adr/0020). */
import { blake3 } from '@noble/hashes/blake3.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { Blake3Engine } from './blake3-engine.ts';

const encoder = new TextEncoder();

export const engine: Blake3Engine = {
  name: 'script',
  hex: (data) => bytesToHex(blake3(typeof data === 'string' ? encoder.encode(data) : data)),
  create() {
    const hasher = blake3.create();
    return {
      update(bytes) {
        hasher.update(bytes);
        return this;
      },
      digestHex: () => bytesToHex(hasher.digest()),
    };
  },
};
