import { Backends } from '../providers/backends.ts';
import type { ArtifactStore, StoreBackend, StoreOptions } from './artifact-store.ts';

/** The one list of artifact stores. A new one adds its line here. */
export const STORE_BACKENDS = new Backends<StoreBackend>('artifact store', [
  ['file:///absolute/folder', async () => (await import('./drivers/file/file.ts')).fileStore],
  ['s3://bucket', async () => (await import('./drivers/s3/s3.ts')).s3Store],
]);

/**
 * Opens the store that a URL names, e.g. `file:///srv/isomorph` or `s3://bucket?endpoint=…`.
 * @throws IsomorphError ERR_CONFIG for a URL that no driver knows; ERR_UNAVAILABLE when the backend cannot be reached
 */
export async function openArtifactStore(url: string, options: StoreOptions = {}): Promise<ArtifactStore> {
  const found = await STORE_BACKENDS.find(url);
  return found.backend.open(found.url, options);
}
