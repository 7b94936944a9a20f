/** Images of `processors/test_actor` for tests of the local runtime: with the boot module, and without it. */
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Processor } from '../../shared/plan/registry.ts';
import { EngineImages } from '../../shared/providers/docker/engine-images.ts';
import { loadOfflineImages } from '../../tools/images/offline.ts';
import { processor } from '../plan/admitted-plan.ts';

const ACTOR = fileURLToPath(new URL('./processors/test_actor', import.meta.url));
const SDK = fileURLToPath(new URL('../../processors/sdk', import.meta.url));

const RUNTIME = { cpu: 1, memory_gb: 0.125, timeout_s: 60, network: 'none' } as const;

/** Waits for its job in the boot module. */
export const bootActor = (changes: Partial<Processor> = {}): Processor =>
  processor({ ref: 'test/actor@1', image: 'isomorph.test/actor:1', runtime: RUNTIME, ...changes });

/** The same program as anybody's image has it. */
export const plainActor = (changes: Partial<Processor> = {}): Processor =>
  bootActor({
    ref: 'test/plain@1',
    image: 'isomorph.test/plain:1',
    entrypoint: ['node', '/app/processor.mjs'],
    ...changes,
  });

export interface ImageOptions {
  /** Folder of its program. */
  readonly program: string;
  /** Whether the image has our boot module. */
  readonly isBoot: boolean;
}

/** Puts the image of a processor, and `isomorph/base-node:offline`, on the engine. */
export async function loadImage(dockerHost: string, its: Processor, { program, isBoot }: ImageOptions): Promise<void> {
  const engine = await EngineImages.connect(dockerHost);
  const folder = await mkdtemp(path.join(os.tmpdir(), 'isomorph-actors-'));
  try {
    await symlink(program, path.join(folder, its.ref.replace('/', '_').replace(/@.*/, '')));
    if (isBoot) await symlink(SDK, path.join(folder, 'sdk'));
    const { skipped } = await loadOfflineImages(engine, { processorsDir: folder, processors: [its] });
    if (skipped.length > 0) throw new Error(`no image of ${its.ref}: ${skipped[0]?.reason}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Both of them. */
export async function loadActors(dockerHost: string): Promise<void> {
  await loadImage(dockerHost, bootActor(), { program: ACTOR, isBoot: true });
  await loadImage(dockerHost, plainActor(), { program: ACTOR, isBoot: false });
}
