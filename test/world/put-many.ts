/** A writer to be killed: 200 puts at once into the folder it is given; says on stdout which of them were reported. */
import { pathToFileURL } from 'node:url';
import { openFileStore } from '../../shared/world/drivers/file.ts';
import { noise } from './samples.ts';

const [folder = '', round = ''] = process.argv.slice(2);
const store = await openFileStore(pathToFileURL(folder));
process.stdout.write('ready\n');
await Promise.all(
  Array.from({ length: 200 }, async (_, index) => {
    // Each path is written twice, by two writers with other bytes of the same size, from nothing to large.
    const object = Math.floor(index / 2);
    const worldPath = `/artifacts/kill/${round}/${object % 7}/${object}`;
    const data = noise((object * 7919) % 300_000, index + 1);
    const outcome = await store.putBytes({ worldPath, data, contentType: 'image/png' }).catch(() => undefined);
    if (outcome?.created === true) process.stdout.write(`${worldPath} ${outcome.cid}\n`);
  }),
);
process.stdout.write('done\n');
