/** `node bin/run.mjs <service|pglite> <arguments>`: another program of the project, which reads its own arguments. */
import { loadProgram } from './build/load.mjs';

const [name] = process.argv.splice(2, 1);
if (name !== 'service' && name !== 'pglite') throw new Error('usage: node bin/run.mjs <service|pglite> <arguments>');
await loadProgram(name);
