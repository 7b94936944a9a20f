import { LRUCache } from 'lru-cache';
import { IsomorphError } from '../../../errors/isomorph-error.ts';
import { parseImageReference } from '../../../ids/image-reference.ts';
import type { Processor } from '../../../plan/registry.ts';
import { imageIdentity, matchesReference, pinOf } from '../../image-identity.ts';
import type { Engine } from './engine.ts';

/** An image as the engine has it now: containers are created by `id`, which no later tag can change. */
export interface LocalImage {
  readonly id: string;
  /** Equal on every engine (`shared/runtime/image-identity.ts`). */
  readonly identity: string;
  /** What a registry file or an admitted plan writes behind `@` to name exactly this image. */
  readonly pin: string;
  /** Its entrypoint is our boot module: it waits for the job and takes secrets from the job line. */
  readonly isBoot: boolean;
}

/** Label of images whose entrypoint is `processors/sdk/boot.ts`. */
const BOOT_LABEL = 'dev.isomorph.boot';

/** Identities of images that ran are few; an image id names the same bytes for ever. */
const KNOWN_IMAGES = 1_000;

/** Finds images on the engine. Nothing is pulled: what runs is what somebody put there on purpose. */
export class Images {
  readonly #engine: Engine;
  readonly #known = new LRUCache<string, LocalImage>({ max: KNOWN_IMAGES });

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /**
   * The image of a processor as it is now.
   * @throws ERR_START when the engine has none of this name, ERR_IMAGE_DRIFT when it is not the one that the reference pins.
   */
  async resolve({ ref, image: text }: Pick<Processor, 'ref' | 'image'>): Promise<LocalImage> {
    const reference = parseImageReference(text);
    const found = (await this.#engine.image(reference.name)) ?? (await this.#engine.image(text));
    if (found === undefined) {
      throw new IsomorphError('ERR_START', `the engine has no image ${text} for ${ref}: build or pull it`);
    }
    if (matchesReference(found, reference)) return this.#local(found, reference.name);
    throw new IsomorphError(
      'ERR_IMAGE_DRIFT',
      `${reference.name} of ${ref} is ${pinOf(found, reference.name)}, not ${reference.digest}`,
    );
  }

  /** An image by its id, as a container names it; undefined when it was removed since. */
  async byId(id: string): Promise<LocalImage | undefined> {
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    const found = await this.#engine.image(id);
    return found === undefined ? undefined : this.#local(found, '');
  }

  #local(found: NonNullable<Awaited<ReturnType<Engine['image']>>>, name: string): LocalImage {
    const isBoot = found.Config.Labels?.[BOOT_LABEL] === '1';
    const image = { id: found.Id, identity: imageIdentity(found), pin: pinOf(found, name), isBoot };
    this.#known.set(image.id, image);
    return image;
  }
}
