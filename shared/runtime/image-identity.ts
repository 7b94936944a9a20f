import { createHash } from 'node:crypto';
import { canonicalBytes } from '../hash/canonical.ts';
import { type ImageReference, parseImageReference } from '../ids/image-reference.ts';

/**
 * What an image is, and how a registry file names exactly one. An engine's own image id differs between engines and
 * image stores, and an image built on the machine has no digest of a registry; its identity is equal everywhere.
 */

/** The part of the Engine API's image inspection that is read here. */
export interface InspectedImage {
  readonly Os: string;
  readonly Architecture: string;
  readonly RepoDigests?: readonly string[] | null | undefined;
  readonly RootFS: { readonly Layers?: readonly string[] | null | undefined };
  readonly Config: {
    readonly Env?: readonly string[] | null | undefined;
    readonly Entrypoint?: string | readonly string[] | null | undefined;
    readonly Cmd?: string | readonly string[] | null | undefined;
    readonly User?: string | null | undefined;
    readonly WorkingDir?: string | null | undefined;
  };
}

/** Engines say "none" as absent, null or empty. */
const words = (value: string | readonly string[] | null | undefined): readonly string[] =>
  typeof value === 'string' ? [value] : (value ?? []);

/**
 * SHA-256 over the canonical JSON of what runs: platform, layers, environment, command, user and working folder.
 * Names, labels, dates and the engine's ids are not in it.
 * @returns `sha256:<64 hex>`
 */
export function imageIdentity({ Os, Architecture, RootFS, Config }: InspectedImage): string {
  const identity = {
    arch: Architecture,
    cmd: words(Config.Cmd),
    entrypoint: words(Config.Entrypoint),
    env: Config.Env ?? [],
    layers: RootFS.Layers ?? [],
    os: Os,
    user: Config.User ?? '',
    working_dir: Config.WorkingDir || '/',
  };
  return `sha256:${createHash('sha256').update(canonicalBytes(identity)).digest('hex')}`;
}

/** The name without its tag; a colon before a slash is a port. */
const repositoryOf = (name: string): string => name.replace(/:[^:/]*$/, '');

/** Docker Hub's names have a short form, which is the one that engines list. */
const shortName = (repository: string): string => repository.replace(/^(index\.)?docker\.io\/(library\/)?/, '');

/** The digest that the registry of this name gave the image; undefined when it was not pulled from there. */
export function repoDigest(image: InspectedImage, name: string): string | undefined {
  const wanted = shortName(repositoryOf(name));
  return (image.RepoDigests ?? [])
    .map(parseImageReference)
    .find((one) => shortName(one.name) === wanted && one.digest !== undefined)?.digest;
}

/** What pins this image under this name: the digest of its registry if it has one, else its identity. */
export const pinOf = (image: InspectedImage, name: string): string => repoDigest(image, name) ?? imageIdentity(image);

/** Whether the image is the one that a pinned reference names. Without a digest every image of the name is. */
export function matchesReference(image: InspectedImage, { name, digest }: ImageReference): boolean {
  return digest === undefined || digest === repoDigest(image, name) || digest === imageIdentity(image);
}
