import { createHash } from 'node:crypto';
import { GENERIC, type GenericResult, type Handlers, notFound } from './rpc.ts';

/** What a registry holds under a reference, as something this machine can start. */
export interface ContainerImage {
  readonly env: Readonly<Record<string, string>>;
  /** A folder of this machine that stands for the image's WORKDIR. */
  readonly workdir: string;
  /** Put before a sandbox's command, unless a layer empties it. */
  readonly entrypoint: readonly string[];
  /** A command of the container as one of this machine. */
  translate(command: readonly string[]): readonly string[];
}

interface ImageRequest {
  readonly image: {
    readonly dockerfile_commands: readonly string[];
    readonly base_images: readonly { readonly image_id: string }[];
  };
}

/** Images by reference, as registries hold them, and by id, as built. */
export class Images {
  /** What can be pulled; tests put it here. */
  readonly registry = new Map<string, ContainerImage>();
  readonly #built = new Map<string, ContainerImage | undefined>();

  /** The id of a definition, and its result when it was built before. */
  getOrCreate({ image }: ImageRequest): { readonly id: string; readonly result: GenericResult | undefined } {
    const key = JSON.stringify([image.dockerfile_commands, image.base_images]);
    const id = `im-${createHash('sha256').update(key).digest('hex').slice(0, 22)}`;
    const known = this.#built.has(id);
    this.#built.set(id, this.#build(image));
    return { id, result: known ? this.result(id) : undefined };
  }

  result(id: string): GenericResult {
    if (!this.#built.has(id)) throw notFound(id);
    if (this.#built.get(id) !== undefined) return { status: GENERIC.success };
    return { status: GENERIC.failure, exception: 'manifest unknown: no such image in the registry' };
  }

  /** @throws RpcError NOT_FOUND for one that was not built */
  get(id: string): ContainerImage {
    const image = this.#built.get(id);
    if (image === undefined) throw notFound(id);
    return image;
  }

  #build({ dockerfile_commands: [from = '', ...layers], base_images }: ImageRequest['image']) {
    const base = base_images[0];
    const image = base === undefined ? this.registry.get(from.slice('FROM '.length)) : this.get(base.image_id);
    if (image === undefined || !layers.includes('ENTRYPOINT []')) return image;
    return { ...image, entrypoint: [] };
  }
}

/** A first build is streamed; what is built already is answered at once. */
export const imageHandlers = ({ images }: { readonly images: Images }): Handlers => ({
  ImageGetOrCreate: (request: ImageRequest) => {
    const { id, result } = images.getOrCreate(request);
    return { image_id: id, ...(result === undefined ? {} : { result }) };
  },
  ImageJoinStreaming: ({ image_id }: { readonly image_id: string }) => [
    { entry_id: '1' },
    { entry_id: '2', result: images.result(image_id), eof: true },
  ],
});
