import type { IncomingMessage } from 'node:http';

/** How much of a refused body is read to its end, and discarded; a client that sends more was not to be let in at all. */
const LINGER_BYTES = 64 * 1024 * 1024;
/** Of a body that was refused because there is too much already. */
export const SHORT_LINGER_BYTES = 256 * 1024;
const LINGER_MS = 10_000;

/** For a request that was answered early: hanging up on a client that still sends would reset its connection before it has read the answer. */
export function discardRest(request: IncomingMessage, mostBytes = LINGER_BYTES): void {
  if (request.complete) return;
  let discarded = 0;
  const late = setTimeout(() => request.destroy(), LINGER_MS).unref();
  request.once('close', () => clearTimeout(late));
  request.on('data', (chunk: Uint8Array) => {
    discarded += chunk.byteLength;
    if (discarded > mostBytes) request.destroy();
  });
  request.resume();
}
