import type { IncomingMessage } from 'node:http';
import { within } from '../../shared/async/within.ts';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import type { Passage } from './traffic.ts';

/** A body of which less comes in this time is ended: whoever sends it holds what others may need. */
export interface LeastRate {
  readonly bytes: number;
  readonly withinMs: number;
}

export const LEAST_RATE: LeastRate = { bytes: 20 * 1024, withinMs: 20_000 };

/**
 * What is sent, as fast as its sender may. Only the time counts that the sender is waited for.
 * @throws ERR_SLOW for a body that does not come on
 */
export async function* sentBody(
  request: IncomingMessage,
  { pass }: Passage,
  { bytes, withinMs }: LeastRate = LEAST_RATE,
): AsyncGenerator<Uint8Array, void, void> {
  // A plain iteration would destroy the socket at the end of it, and the client would never read why.
  const chunks: AsyncIterator<Uint8Array> = request.iterator({ destroyOnReturn: false });
  const tooSlow = (): never => {
    throw new IsomorphError('ERR_SLOW', 'the body does not come on', {
      expected: `at least ${bytes} bytes in ${withinMs / 1_000} s`,
    });
  };
  let isWaiting = true;
  try {
    for (let [came, waitedMs] = [0, 0]; ; ) {
      const askedMs = performance.now();
      isWaiting = true;
      const next = await within(withinMs - waitedMs, chunks.next(), tooSlow);
      isWaiting = false;
      if (next.done === true) return;
      came += next.value.byteLength;
      waitedMs += performance.now() - askedMs;
      if (came >= bytes) [came, waitedMs] = [0, 0];
      else if (waitedMs >= withinMs) tooSlow();
      await pass(next.value.byteLength);
      yield next.value;
    }
  } finally {
    // Whoever discards the rest reads it too. One that is still waited for lets go when it comes, or is hung up on.
    const released = Promise.resolve(chunks.return?.()).catch(() => undefined);
    if (!isWaiting) await released;
  }
}

/** What is answered, as fast as who asked may have it. */
export async function* answered(
  body: AsyncIterable<Uint8Array>,
  { pass }: Passage,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const chunk of body) {
    await pass(chunk.byteLength);
    yield chunk;
  }
}
