import { createHash } from 'node:crypto';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ImageConfig } from './program.ts';
import { type Layer, pack } from './stage.ts';

/** One image of an archive: its layers from the bottom up, how it is started, and its names. */
export interface ArchivedImage {
  readonly tags: readonly string[];
  readonly layers: readonly Layer[];
  readonly config: ImageConfig;
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

/** Node's name of this machine's architecture as images have it. */
const architecture = (): string => ARCHITECTURES[process.arch] ?? process.arch;

/** Images have no date: the same content is the same image, whenever it is made. */
const CREATED = '1970-01-01T00:00:00Z';

function configText({ layers, config }: ArchivedImage): string {
  return JSON.stringify({
    architecture: architecture(),
    config,
    created: CREATED,
    history: layers.map(() => ({ created: CREATED, created_by: 'npm run images -- --offline' })),
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
  });
}

/**
 * Writes images as `docker save` does, for `docker load`. A layer that images share is in it once.
 * @param work an empty folder for drafts
 * @returns the archive's file
 */
export async function writeArchive(images: readonly ArchivedImage[], work: string): Promise<string> {
  const root = path.join(work, 'archive');
  await mkdir(root, { recursive: true });
  const manifest: unknown[] = [];
  for (const image of images) {
    const text = configText(image);
    const name = `${createHash('sha256').update(text).digest('hex')}.json`;
    await writeFile(path.join(root, name), text);
    const layers: string[] = [];
    for (const { file, diffId } of image.layers) {
      const folder = diffId.replace('sha256:', '');
      const isNew = (await mkdir(path.join(root, folder), { recursive: true })) !== undefined;
      if (isNew) await copyFile(file, path.join(root, folder, 'layer.tar'));
      layers.push(`${folder}/layer.tar`);
    }
    manifest.push({ Config: name, RepoTags: image.tags, Layers: layers });
  }
  await writeFile(path.join(root, 'manifest.json'), JSON.stringify(manifest));
  const archive = path.join(work, 'images.tar');
  await pack(root, archive);
  return archive;
}
