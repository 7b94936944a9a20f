/** A store on S3 with a proxy in between, which makes of requests what networks and servers make of them. */
import type { ArtifactStore } from '../../shared/world/artifact-store.ts';
import { openS3Store } from '../../shared/world/drivers/s3/s3.ts';
import type { RunningCeph } from '../harness/servers/index.ts';
import { type S3Proxy, startS3Proxy } from './s3-proxy.ts';
import { newBucketUrl } from './s3-store.ts';

export interface Subject {
  readonly proxy: S3Proxy;
  readonly url: URL;
  readonly store: ArtifactStore;
  /** The same bucket, not through the proxy. */
  readonly direct: ArtifactStore;
}

/** A new bucket, once through a proxy and once past it. */
export async function behindProxy(ceph: RunningCeph, run: (subject: Subject) => Promise<void>): Promise<void> {
  const proxy = await startS3Proxy(ceph.url);
  const url = newBucketUrl(proxy);
  const directUrl = new URL(url);
  directUrl.searchParams.set('endpoint', ceph.url);
  const store = await openS3Store(url, { credentials: ceph });
  const direct = await openS3Store(directUrl, { credentials: ceph });
  try {
    await run({ proxy, url, store, direct });
  } finally {
    await Promise.all([store.close(), direct.close()]);
    await proxy.close();
  }
}

/** The first request that fits is treated so, all others pass. */
export function once(
  proxy: S3Proxy,
  verdict: 'lose' | 'cut' | { status: number; body: string },
  fits: (line: string) => boolean,
) {
  let done = false;
  proxy.decide = ({ method, url }) => {
    if (done || !fits(`${method} ${url}`)) return 'pass';
    done = true;
    return verdict;
  };
}
