/** What a store on S3 is after writers and the server were killed, and how much memory large objects take. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as assert from 'uvu/assert';
import type { ArtifactStore } from '../../shared/world/artifact-store.ts';
import { openS3Store } from '../../shared/world/drivers/s3/s3.ts';
import { available, type RunningCeph, startCeph } from '../harness/servers/index.ts';
import { suite } from '../harness/suite.ts';
import { checkWhole, surviveKills } from './killed-writer.ts';
import { newBucketUrl } from './s3-store.ts';
import { noise, pieces, putText } from './samples.ts';

const run = promisify(execFile);
const STREAMER = fileURLToPath(new URL('./stream-many.ts', import.meta.url));
const MIB = 1024 * 1024;

const test = suite('s3 store: crashes and memory');
const found = await available('ceph');
test.skipUnless(found.ok, found.ok ? '' : found.reason);

let ceph: RunningCeph;
test.before(async () => {
  ceph = await startCeph({ objects: 'disk' });
});
test.after(() => ceph.stop());

const keysInEnv = () => ({ AWS_ACCESS_KEY_ID: ceph.accessKeyId, AWS_SECRET_ACCESS_KEY: ceph.secretAccessKey });

async function withStore(work: (store: ArtifactStore, url: URL) => Promise<void>): Promise<void> {
  const url = newBucketUrl(ceph);
  const store = await openS3Store(url, { credentials: ceph });
  try {
    await work(store, url);
  } finally {
    await store.close();
  }
}

test('kill -9 amid 200 concurrent puts: what is listed is whole, what was reported is there', () =>
  withStore(async (store, url) => {
    const tomorrow = await openS3Store(url, { credentials: ceph, nowMs: () => Date.now() + 86_400_000 });
    await surviveKills({ url: url.href, env: keysInEnv(), largestBytes: 9 * MIB }, store, tomorrow);
    await tomorrow.close();
  }));

test('the server is killed while 200 puts run: what was reported is there when it is back, and whole', () =>
  withStore(async (store) => {
    const reported: string[] = [];
    let crash: Promise<void> | undefined;
    const puts = Array.from({ length: 200 }, async (_, index) => {
      const data = index % 20 === 19 ? noise(9 * MIB, index) : noise(index * 997, index);
      const { cid } = await store.put({
        ...{ worldPath: `/artifacts/restart/${index}`, body: pieces(data, 100_000), contentType: 'image/png' },
      });
      reported.push(`/artifacts/restart/${index} ${cid}`);
      if (reported.length === 50) crash = ceph.crashAndRestart();
    });
    await Promise.allSettled(puts);
    await crash;
    assert.ok(reported.length >= 50);
    const seen = await checkWhole(store);
    for (const line of reported) assert.is(seen.get(line.split(' ')[0] ?? ''), line.split(' ')[1], line);
    assert.is((await putText(store, '/artifacts/later', 'x')).created, true);
  }));

test('256 MiB are put, got, sealed and shown in a fraction of that memory', () =>
  withStore(async (store, url) => {
    const grownMib = async (direction: string): Promise<number> => {
      const args = ['--import', 'tsx', STREAMER, url.href, direction, String(256 * MIB)];
      const { stdout } = await run(process.execPath, args, { env: { ...process.env, ...keysInEnv() } });
      const [beganWith = 0, most = 0] = stdout.split(' ').map(Number);
      return (most - beganWith) / MIB;
    };
    const upload = { uploadId: 'p.s.1', worldPath: '/artifacts/shown', contentType: 'application/octet-stream' };
    const { url: uploadUrl, headers } = await store.presignPut({ ...upload, maxBytes: 1e9, ttlS: 600 });
    const answer = await fetch(uploadUrl, {
      method: 'PUT',
      body: Buffer.alloc(256 * MIB, 'x'),
      headers: { ...headers, 'content-type': upload.contentType },
    });
    assert.is(answer.status, 200);
    for (const direction of ['put', 'get', 'show']) {
      const mib = await grownMib(direction);

      assert.ok(mib < 96, `${direction} took ${mib.toFixed(0)} MiB more than it began with`);
    }
  }));

test.run();
