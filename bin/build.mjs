/** `npm run build`: makes the build of the sources as they are, unless it is there. */
import path from 'node:path';
import { currentBuild, PROJECT, refuseSources } from './build/load.mjs';

const folder = await currentBuild(PROJECT).catch(refuseSources);
process.stdout.write(`${path.relative(process.cwd(), folder)}\n`);
