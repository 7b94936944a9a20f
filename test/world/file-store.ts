/** File stores in folders of their own, with their gateway. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { startGateway } from '../../services/gateway/artifact-server.ts';
import { type FileArtifactStore, openFileStore } from '../../shared/world/drivers/file/file.ts';
import type { StoreUnderTest, Variant } from './store-under-test.ts';

export interface FileStoreUnderTest extends StoreUnderTest {
  readonly folder: string;
  readonly store: FileArtifactStore;
  readonly gatewayUrl: string;
}

export const makeFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'isomorph-world-'));

export async function makeFileStore(): Promise<FileStoreUnderTest> {
  const folder = await makeFolder();
  const secret = randomBytes(32);
  const gateway = await startGateway({ store: { root: folder }, secret });
  const open = ({ clockOffsetMs = 0, wrongSecret = false }: Variant = {}): Promise<FileArtifactStore> =>
    openFileStore(pathToFileURL(folder), {
      gatewayUrl: gateway.url,
      gatewaySecret: wrongSecret ? randomBytes(32) : secret,
      nowMs: () => Date.now() + clockOffsetMs,
    });
  return {
    folder,
    gatewayUrl: gateway.url,
    store: await open(),
    open,
    async dispose() {
      await gateway.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
