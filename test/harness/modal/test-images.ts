import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Processor } from '../../../shared/plan/registry.ts';
import { bundle } from '../../../shared/runtime/bundle.ts';
import type { World } from './world.ts';

const MAIN = 'processor.ts';

/** Puts the folder of a TypeScript processor into the registry, as its image would be: Node, and the folder as WORKDIR. */
export async function pushProcessor(world: World, folder: string, { image, entrypoint }: Processor): Promise<void> {
  const program = path.join(world.folder('image'), 'processor.mjs');
  const code = await bundle(path.join(folder, MAIN));
  await writeFile(program, code);
  world.images.registry.set(image, {
    env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
    workdir: folder,
    // As the Dockerfiles of the processors have it.
    entrypoint,
    translate: (command) =>
      command.map((word) => (word === 'node' ? process.execPath : word === MAIN ? program : word)),
  });
}
