/** A hash in the making. Not reusable after `digestHex`. */
export interface Blake3Stream {
  update(bytes: Uint8Array): this;
  /** 64 lower-case hex digits, as `b3sum` prints them. */
  digestHex(): string;
}

export interface Blake3Engine {
  /** `native` and `wasm` run on Node, `script` in a browser. */
  readonly name: 'native' | 'wasm' | 'script';
  hex(data: Uint8Array | string): string;
  create(): Blake3Stream;
}
