/** Loaded ahead of a service: on SIGUSR2 it collects garbage and tells what is still held. The services know nothing of it. */
import { renameSync, writeFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const { SOAK_PROBE_DIR: dir } = process.env;
// Judges and other children of a service inherit its options.
if (dir !== undefined && process.argv[2] === 'service') {
  // Maps of sources are read when a module is first in the stack of an error, a megabyte at once: it looks like a leak.
  process.setSourceMapsEnabled = () => undefined;
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc');
  process.on('SIGUSR2', () => {
    collect();
    collect();
    const file = `${dir}/${process.pid}.json`;
    const { heapUsed, external } = process.memoryUsage();
    writeFileSync(`${file}.new`, JSON.stringify({ heap: heapUsed + external }));
    renameSync(`${file}.new`, file);
  });
}
