/** What a processor writes to. */
export type Channel = 'stdout' | 'stderr';

/** Kept of the log of a run: its end. */
export const KEPT_LOG_BYTES = 256 * 1024;

const SMALL_LOG_BYTES = 4 * 1024;

/** The end of what is pushed, at least `KEPT_LOG_BYTES` of it where there is as much, in at most twice that memory. */
export class LogTail {
  #kept = Buffer.alloc(0);
  #keptBytes = 0;

  push(bytes: Buffer): void {
    const kept = bytes.subarray(-KEPT_LOG_BYTES);
    if (this.#keptBytes + kept.byteLength > this.#kept.byteLength) this.#makeRoom(kept.byteLength);
    kept.copy(this.#kept, this.#keptBytes);
    this.#keptBytes += kept.byteLength;
  }

  /** The end of the log, with lines that have no end yet. */
  with(...unfinished: readonly Uint8Array[]): Uint8Array {
    const kept = this.#kept.subarray(0, this.#keptBytes);
    return Buffer.concat([kept, ...unfinished]).subarray(-KEPT_LOG_BYTES);
  }

  /** Grows, up to twice of what is kept at last; then what is older goes. */
  #makeRoom(bytes: number): void {
    const all = this.#kept.subarray(0, this.#keptBytes);
    const limit = 2 * KEPT_LOG_BYTES;
    const staying = this.#keptBytes + bytes > limit ? all.subarray(-KEPT_LOG_BYTES) : all;
    const size = Math.min(limit, Math.max(SMALL_LOG_BYTES, 2 * (staying.byteLength + bytes)));
    const room = Buffer.alloc(size);
    staying.copy(room);
    this.#kept = room;
    this.#keptBytes = staying.byteLength;
  }
}
