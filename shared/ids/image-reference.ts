export interface ImageReference {
  /** What an engine finds it by: name with tag, without a digest. */
  readonly name: string;
  /** `sha256:<64 hex>`: digest of a registry, or identity of an image built on a machine; absent when not pinned. */
  readonly digest: string | undefined;
}

/** A reference that pins. */
export const PINNED = /^(?<name>[^@]+)@(?<digest>sha256:[0-9a-f]{64})$/;

/** Splits `name[:tag][@sha256:…]`. */
export function parseImageReference(reference: string): ImageReference {
  const { name = reference, digest } = PINNED.exec(reference)?.groups ?? {};
  return { name, digest };
}
