import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { stageProgram } from './program.ts';
import { Stage } from './stage.ts';

/** `node --import tsx tools/images/stage-program.ts <folder of a processor> <out>`: its `/app`, for Dockerfiles. */

const [name, out] = process.argv.slice(2);
if (name === undefined || out === undefined) throw new Error('expected the folder of a processor and where to write');
const folder = fileURLToPath(new URL(`../../processors/${name}`, import.meta.url));
await stageProgram(new Stage(path.resolve(out)), folder, 'node');
