/** `node bin/run.mjs <service|pglite|judge> <arguments>`: another program of the project, which reads its own arguments. */
import { loadProgram } from './build/load.mjs';

const [name] = process.argv.splice(2, 1);
if (name !== 'service' && name !== 'pglite' && name !== 'judge') {
  throw new Error('usage: node bin/run.mjs <service|pglite|judge> <arguments>');
}
await loadProgram(name);
