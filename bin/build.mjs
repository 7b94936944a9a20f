/** `npm run build`: makes the build of the sources as they are, unless it is there. */
import path from 'node:path';
import { currentBuild, PROJECT } from './build/load.mjs';

process.stdout.write(`${path.relative(process.cwd(), await currentBuild(PROJECT))}\n`);
