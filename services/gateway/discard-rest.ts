import type { IncomingMessage } from 'node:http';

/** How much of a refused body is read to its end, and discarded. */
const LINGER_BYTES = 64 * 1024 * 1024;

/** For a request that was answered early: hanging up on a client that still sends would reset its connection before it has read the answer. */
export function discardRest(request: IncomingMessage): void {
  let discarded = 0;
  request.on('data', (chunk: Uint8Array) => {
    discarded += chunk.byteLength;
    if (discarded > LINGER_BYTES) request.destroy();
  });
  request.resume();
}
