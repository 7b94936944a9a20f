/** A writer to be killed: 200 puts at once into the store it is given; says on stdout which of them were reported. */
import { openArtifactStore } from '../../shared/world/open.ts';
import { noise } from './samples.ts';

const [url = '', round = '', largestBytes = ''] = process.argv.slice(2);
const store = await openArtifactStore(url);
process.stdout.write('ready\n');
await Promise.all(
  Array.from({ length: 200 }, async (_, index) => {
    // Each path is written twice, by two writers with other bytes of the same size, from nothing to large.
    const object = Math.floor(index / 2);
    const worldPath = `/artifacts/kill/${round}/${object % 7}/${object}`;
    const size = object % 20 === 19 ? Number(largestBytes) : (object * 7919) % 300_000;
    const data = noise(size, index + 1);
    const outcome = await store.putBytes({ worldPath, data, contentType: 'image/png' }).catch(() => undefined);
    if (outcome?.created === true) process.stdout.write(`${worldPath} ${outcome.cid}\n`);
  }),
);
process.stdout.write('done\n');
await store.close();
