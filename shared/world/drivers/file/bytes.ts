/** Bytes in and out of files, in pieces. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { IsomorphError } from '../../../errors/isomorph-error.ts';
import { type ContentDigest, createContentHash } from '../../content.ts';
import { guarded, withHandle } from './durable.ts';

const READ_BYTES = 256 * 1024;

/** Reads a stretch of a file; the handle lives as long as the iteration. */
export async function* readFileRange(
  path: string,
  { offset, length }: { readonly offset: number; readonly length: number },
): AsyncGenerator<Uint8Array> {
  // No symbolic links: the folder must not hand out what lies outside it.
  const handle = await guarded(`open ${path}`, () => open(path, constants.O_RDONLY | constants.O_NOFOLLOW));
  try {
    for (let at = offset; at < offset + length; ) {
      const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, offset + length - at));
      const { bytesRead } = await guarded(`read ${path}`, () => handle.read(buffer, 0, buffer.byteLength, at));
      if (bytesRead === 0) throw new IsomorphError('ERR_CID_MISMATCH', `${path} ends early, after ${at} bytes`);
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

/** Writes a new file and puts it on the disk, hashing on the way. */
export const writeNewFile = (path: string, body: AsyncIterable<Uint8Array>): Promise<ContentDigest> =>
  withHandle(path, 'wx', async (handle) => {
    const hash = createContentHash();
    for await (const chunk of body) {
      hash.update(chunk);
      await handle.writeFile(chunk);
    }
    await handle.sync();
    return hash.digest();
  });
