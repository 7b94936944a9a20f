import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { processorFolder } from '../../shared/ids/ids.ts';
import { parseImageReference } from '../../shared/ids/image-reference.ts';
import type { Processor } from '../../shared/plan/registry.ts';
import type { EngineImages } from '../../shared/providers/docker/engine-images.ts';
import { type ArchivedImage, writeArchive } from './archive.ts';
import { stageNodeBase, stagePythonBase, whyNoPython } from './base.ts';
import { copyLibraries } from './libraries.ts';
import { baseConfig, type Language, languageOf, stageProgram } from './program.ts';
import { type Layer, packLayer, Stage } from './stage.ts';

/** Images without a registry and without a network, from this machine's own Node or Python, its libraries and the sources. */

export interface OfflineOptions {
  /** Folder of the processors' folders. */
  readonly processorsDir: string;
  readonly processors: readonly Processor[];
}

export interface OfflineImages {
  readonly images: readonly ArchivedImage[];
  /** What no image could be made of, and why. */
  readonly skipped: readonly { readonly ref: string; readonly reason: string }[];
}

/** `csv/profile@1` is `isomorph/csv-profile:offline`. */
export const offlineTag = (ref: string): string => `isomorph/${ref.replace('/', '-').replace(/@.*$/, '')}:offline`;

export const baseTag = (language: Language): string => `isomorph/base-${language}:offline`;

/** Why no image of this processor can be made here; undefined when one can. */
async function whyNot(processor: Processor, language: Language | undefined): Promise<string | undefined> {
  if (processor.runtime.gpu !== undefined) return 'it needs a GPU, whose libraries this machine cannot give away';
  if (language === undefined) return 'its folder has neither processor.ts nor processor.py';
  return language === 'python' ? whyNoPython() : undefined;
}

interface Base extends Layer {
  /** Libraries that are in it, by their paths in the image. */
  readonly libraries: readonly string[];
}

class Workshop {
  readonly #work: string;
  readonly #bases = new Map<Language, Promise<Base>>();

  constructor(work: string) {
    this.#work = work;
  }

  base(language: Language): Promise<Base> {
    const base = this.#bases.get(language) ?? this.#makeBase(language);
    this.#bases.set(language, base);
    return base;
  }

  async image(processor: Processor, folder: string, language: Language): Promise<ArchivedImage> {
    const base = await this.base(language);
    let config = baseConfig(language);
    const own = await this.#layer(path.basename(folder), async (stage) => {
      const program = await stageProgram(stage, folder, language);
      config = program.config;
      const inside = path.dirname(path.dirname(folder));
      await copyLibraries(stage, program.natives, { inside, present: base.libraries });
    });
    const tags = [offlineTag(processor.ref), parseImageReference(processor.image).name];
    return { tags, layers: [base, own], config };
  }

  async baseImage(language: Language): Promise<ArchivedImage> {
    return { tags: [baseTag(language)], layers: [await this.base(language)], config: baseConfig(language) };
  }

  async #makeBase(language: Language): Promise<Base> {
    let libraries: readonly string[] = [];
    const layer = await this.#layer(`base-${language}`, async (stage) => {
      libraries = await (language === 'node' ? stageNodeBase(stage) : stagePythonBase(stage));
    });
    return { ...layer, libraries };
  }

  async #layer(name: string, fill: (stage: Stage) => Promise<void>): Promise<Layer> {
    const root = path.join(this.#work, name);
    await mkdir(root);
    const stage = new Stage(root);
    await stage.folder('/');
    await fill(stage);
    const layer = await packLayer(root, path.join(this.#work, `${name}.tar`));
    await rm(root, { recursive: true });
    return layer;
  }
}

/**
 * Makes the layers of the images in a folder of the caller's. The same sources and system give the same bytes.
 * @throws ERR_CONFIG when this is no Linux, or lacks GNU tar; ERR_START when a processor does not build
 */
export async function makeOfflineImages(
  { processorsDir, processors }: OfflineOptions,
  work: string,
): Promise<OfflineImages> {
  if (process.platform !== 'linux') {
    throw new IsomorphError('ERR_CONFIG', 'images are made offline from a Linux system: this is none');
  }
  const workshop = new Workshop(work);
  const images = [await workshop.baseImage('node')];
  const skipped: { ref: string; reason: string }[] = [];
  const languages = new Set<Language>(['node']);
  for (const processor of processors) {
    const folder = path.join(processorsDir, processorFolder(processor.ref));
    const language = languageOf(folder);
    const reason = await whyNot(processor, language);
    if (reason !== undefined || language === undefined) {
      skipped.push({ ref: processor.ref, reason: reason ?? 'it has no program' });
      continue;
    }
    if (!languages.has(language)) images.push(await workshop.baseImage(language));
    languages.add(language);
    images.push(await workshop.image(processor, folder, language));
  }
  return { images, skipped };
}

/**
 * Makes the images and loads them into the engine: `isomorph/base-node:offline`, and for each processor
 * `isomorph/<ns>-<name>:offline`, which also gets the name that the registry file gives it.
 * @throws as `makeOfflineImages`, and ERR_UNAVAILABLE when the engine refuses them
 */
export async function loadOfflineImages(engine: EngineImages, options: OfflineOptions): Promise<OfflineImages> {
  const work = await mkdtemp(path.join(os.tmpdir(), 'isomorph-images-'));
  try {
    const made = await makeOfflineImages(options, work);
    await engine.load(createReadStream(await writeArchive(made.images, work)));
    return made;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
