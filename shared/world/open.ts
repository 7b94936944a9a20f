/** The one place that knows which drivers there are. Each is imported when its scheme is first asked for. */
import { IsomorphError } from '../errors/isomorph-error.ts';
import type { ArtifactStore, StoreOptions } from './artifact-store.ts';

type OpenDriver = (url: URL, options: StoreOptions) => Promise<ArtifactStore>;

const DRIVERS: Readonly<Record<string, () => Promise<OpenDriver>>> = {
  file: async () => (await import('./drivers/file/file.ts')).openFileStore,
  s3: async () => (await import('./drivers/s3/s3.ts')).openS3Store,
};

export const ARTIFACT_STORE_SCHEMES = Object.keys(DRIVERS);

/**
 * Opens the store that a URL names, e.g. `file:///srv/isomorph` or `s3://bucket?endpoint=…`.
 * @throws IsomorphError ERR_CONFIG for a URL that no driver knows; ERR_UNAVAILABLE when the backend cannot be reached
 */
export async function openArtifactStore(url: string, options: StoreOptions = {}): Promise<ArtifactStore> {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const scheme = parsed?.protocol.slice(0, -1) ?? '';
  const load = Object.hasOwn(DRIVERS, scheme) ? DRIVERS[scheme] : undefined;
  if (parsed === undefined || load === undefined) {
    // The URL itself stays out of the message: it may carry a password.
    throw new IsomorphError('ERR_CONFIG', `no artifact store has the scheme "${scheme}"`, {
      expected: `a URL with one of the schemes ${ARTIFACT_STORE_SCHEMES.join(', ')}`,
    });
  }
  const open = await load();
  return open(parsed, options);
}
