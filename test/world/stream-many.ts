/** Puts, gets, or seals and shows one large object; prints the memory it began with and the most it took, in bytes. */
import { readFile } from 'node:fs/promises';
import { openArtifactStore } from '../../shared/world/open.ts';
import { noise } from './samples.ts';

const [url = '', direction = '', bytes = ''] = process.argv.slice(2);
const PIECE = noise(1024 * 1024);
const upload = { uploadId: 'p.s.1', worldPath: '/artifacts/shown', contentType: 'application/octet-stream' };

async function* stream(): AsyncGenerator<Uint8Array> {
  for (let sent = 0; sent < Number(bytes); sent += PIECE.byteLength) yield PIECE;
}

/** Not getrusage: that counts what the parent had before this program took its place. */
async function most(): Promise<number> {
  const status = await readFile('/proc/self/status', 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}

const store = await openArtifactStore(url);
const beganWith = await most();
if (direction === 'put') {
  await store.put({ worldPath: '/artifacts/stream', body: stream(), contentType: 'application/octet-stream' });
} else if (direction === 'show') {
  const sealed = await store.seal(upload);
  if (sealed === undefined) throw new Error('nothing to show');
  await store.show({ ...upload, ...sealed });
} else {
  const stat = await store.stat('/artifacts/stream');
  if (stat === undefined) throw new Error('nothing to get');
  const { body } = await store.get({ worldPath: stat.path, expectedCid: stat.cid });
  for await (const chunk of body) if (chunk.byteLength === 0) throw new Error('an empty chunk');
}
await store.close();
process.stdout.write(`${beganWith} ${await most()}\n`);
