/** Bodies of S3: answers that wait for their reader, and parts made of what a writer hands over. */
import { finished, type Readable } from 'node:stream';
import { guarded, translated } from './faults.ts';

/** A body nobody has begun to read gives its connection back after this. */
const UNREAD_MS = 15_000;

/**
 * The body of an open answer. Left unread, it lets go of the connection; read later, it asks anew.
 * @param reopen the same bytes once more
 */
export function waitingBody(
  what: string,
  opened: Readable,
  reopen: () => Promise<Readable>,
): AsyncIterable<Uint8Array> {
  let held: Readable | undefined = opened;
  const timer = setTimeout(() => {
    held?.destroy();
    held = undefined;
  }, UNREAD_MS);
  timer.unref();
  const begin = async (): Promise<AsyncIterator<Uint8Array>> => {
    clearTimeout(timer);
    const stream = held ?? (await guarded(what, reopen));
    // A second reader gets an answer of its own.
    held = undefined;
    return stream[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  };
  return { [Symbol.asyncIterator]: () => translatedIterator(what, begin) };
}

/** Not a generator: those cost three more turns of the event loop a chunk, a tenth of the rate. */
function translatedIterator(what: string, begin: () => Promise<AsyncIterator<Uint8Array>>): AsyncIterator<Uint8Array> {
  let inner: AsyncIterator<Uint8Array> | undefined;
  return {
    async next() {
      try {
        inner ??= await begin();
        return await inner.next();
      } catch (error) {
        throw translated(what, error);
      }
    },
    async return() {
      await inner?.return?.();
      return { done: true, value: undefined };
    },
  };
}

/** The whole of an answer. By events: iteration takes as long again as the rest of a small request. */
export function collectAnswer(what: string, body: Readable): Promise<Buffer> {
  return guarded(
    what,
    () =>
      new Promise((resolve, reject) => {
        const chunks: Uint8Array[] = [];
        body.on('data', (chunk: Uint8Array) => chunks.push(chunk));
        finished(body, { writable: false }, (error) => {
          if (error) reject(error);
          else resolve(chunks.length === 1 && Buffer.isBuffer(chunks[0]) ? chunks[0] : Buffer.concat(chunks));
        });
      }),
  );
}

const MIB = 1024 * 1024;

/** Up to this size an object is sent in one request; it is also the size of the first parts. */
export const PART_BYTES = 5 * MIB;

/** S3 takes 10,000 parts: growing ones hold 240 GB, and memory grows only with objects that large. */
export const partBytes = (number: number): number => PART_BYTES * (1 + Math.floor((number - 1) / 2000));

const FIRST_BUFFER_BYTES = 64 * 1024;

/** Memory of parts, used again: garbage of this size would pile up faster than it is collected. */
class Buffers {
  readonly #free: Buffer[] = [];

  take(bytes: number): Buffer {
    const fitting = this.#free.findIndex((buffer) => buffer.byteLength === bytes);
    return fitting < 0 ? Buffer.allocUnsafeSlow(bytes) : (this.#free.splice(fitting, 1)[0] ?? Buffer.alloc(bytes));
  }

  release(buffer: Buffer): void {
    this.#free.push(buffer);
  }
}

export interface Part {
  /** From 1. */
  readonly number: number;
  readonly data: Uint8Array;
  /** No part follows. */
  readonly last: boolean;
  /** Gives the memory back; `data` must not be used any more. */
  release(): void;
}

/**
 * Cuts a body into parts. Each is whole before it is handed on, the last may be short, and there is always one. Chunks
 * are copied: their owner may use their memory again.
 * @param expectedBytes size of the body where it is known; saves memory, a wrong one does no harm
 */
export async function* partsOf(body: AsyncIterable<Uint8Array>, expectedBytes = 0): AsyncGenerator<Part> {
  const buffers = new Buffers();
  let number = 1;
  let filled = 0;
  const firstBytes = Math.min(Math.max(expectedBytes, FIRST_BUFFER_BYTES), PART_BYTES);
  let buffer: Buffer = Buffer.allocUnsafeSlow(firstBytes);
  const part = (last: boolean): Part => {
    const whole = buffer;
    return { number, data: whole.subarray(0, filled), last, release: () => buffers.release(whole) };
  };
  for await (const chunk of body) {
    for (let at = 0; at < chunk.byteLength; ) {
      if (filled === partBytes(number)) {
        yield part(false);
        number += 1;
        filled = 0;
        buffer = buffers.take(partBytes(number));
      }
      // Only the first part grows into its size: most bodies end in it.
      if (filled === buffer.byteLength) buffer = grown(buffer, partBytes(number));
      const length = Math.min(chunk.byteLength - at, buffer.byteLength - filled);
      buffer.set(chunk.subarray(at, at + length), filled);
      filled += length;
      at += length;
    }
  }
  yield part(true);
}

function grown(buffer: Buffer, bytesMax: number): Buffer {
  const larger = Buffer.allocUnsafeSlow(Math.min(2 * buffer.byteLength, bytesMax));
  buffer.copy(larger);
  return larger;
}
