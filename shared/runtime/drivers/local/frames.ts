import type { Channel } from '../../log-tail.ts';

const HEADER_BYTES = 8;

/**
 * Takes apart the stream that engines give for a container without a terminal: frames of one byte of channel, three of
 * nothing, four of length (big endian), and the bytes (Docker Engine API, "Attach to a container").
 */
export class FrameReader {
  readonly #onBytes: (channel: Channel, bytes: Uint8Array) => void;
  #header = Buffer.alloc(0);
  #left = 0;
  #channel: Channel = 'stdout';

  constructor(onBytes: (channel: Channel, bytes: Uint8Array) => void) {
    this.#onBytes = onBytes;
  }

  push(chunk: Uint8Array): void {
    let rest = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    while (rest.byteLength > 0) {
      if (this.#left === 0) {
        const missing = HEADER_BYTES - this.#header.byteLength;
        this.#header = Buffer.concat([this.#header, rest.subarray(0, missing)]);
        rest = rest.subarray(missing);
        if (this.#header.byteLength < HEADER_BYTES) return;
        this.#channel = this.#header[0] === 2 ? 'stderr' : 'stdout';
        this.#left = this.#header.readUInt32BE(4);
        this.#header = Buffer.alloc(0);
        continue;
      }
      const bytes = rest.subarray(0, this.#left);
      this.#left -= bytes.byteLength;
      rest = rest.subarray(bytes.byteLength);
      this.#onBytes(this.#channel, bytes);
    }
  }
}
