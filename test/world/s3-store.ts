/** S3 stores in buckets of their own, on one server a process. */
import { randomBytes } from 'node:crypto';
import type { ArtifactStore } from '../../shared/world/artifact-store.ts';
import { openS3Store, type S3StoreOptions, unprobedS3Store } from '../../shared/world/drivers/s3/s3.ts';
import type { Available } from '../harness/servers/index.ts';
import { artifactStoreConformance } from './conformance.ts';
import type { StoreUnderTest, Variant } from './store-under-test.ts';

export interface S3Server {
  readonly url: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** For servers that do not check. */
export const S3_ANY_KEYS = { accessKeyId: 'any', secretAccessKey: 'any' };

/** The URL of a new bucket, made when it is first opened. */
export function newBucketUrl({ url }: { readonly url: string }, prefix = ''): URL {
  const bucket = new URL(`s3://test-${randomBytes(8).toString('hex')}/${prefix}`);
  bucket.searchParams.set('endpoint', url);
  bucket.searchParams.set('create', 'true');
  return bucket;
}

export async function makeS3Store(server: S3Server, prefix = ''): Promise<StoreUnderTest> {
  const url = newBucketUrl(server, prefix);
  const { accessKeyId, secretAccessKey } = server;
  const handles: ArtifactStore[] = [];
  const keep = (store: ArtifactStore): ArtifactStore => {
    handles.push(store);
    return store;
  };
  const open = async ({ clockOffsetMs = 0, wrongSecret = false }: Variant = {}): Promise<ArtifactStore> => {
    const secret = wrongSecret ? `${secretAccessKey.slice(1)}x` : secretAccessKey;
    const options: S3StoreOptions = {
      credentials: { accessKeyId, secretAccessKey: secret },
      nowMs: () => Date.now() + clockOffsetMs,
    };
    // With a secret that the server does not know, nothing but signing works.
    return keep(wrongSecret ? unprobedS3Store(url, options) : await openS3Store(url, options));
  };
  return {
    store: await open(),
    open,
    async dispose() {
      for (const handle of handles) await handle.close();
    },
  };
}

export const S3_CAPABILITIES = {
  pathUnderArtifact: true,
  uploadLimitInUrl: false,
  uploadOnce: true,
  presignTtlSMax: 7 * 86_400,
};

/** The conformance suite on an S3 server that is started for it. */
export function s3Conformance(
  name: string,
  available: Available,
  start: () => Promise<S3Server & { stop(): Promise<void> }>,
  lacks: Readonly<Record<string, string>> = {},
): void {
  let running: Awaited<ReturnType<typeof start>> | undefined;
  const makeStore = (): Promise<StoreUnderTest> => {
    if (running === undefined) throw new Error('the server of the suite does not run');
    return makeS3Store(running);
  };
  const server = {
    available,
    start: async () => {
      running = await start();
    },
    stop: async () => {
      await running?.stop();
    },
  };
  artifactStoreConformance(`s3 on ${name}`, makeStore, S3_CAPABILITIES, { server, lacks });
}
