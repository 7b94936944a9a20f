/** What servers and networks do to a store on S3, and what the store makes of it. Needs a server that checks. */
import { randomBytes } from 'node:crypto';
import * as assert from 'uvu/assert';
import { cidOf } from '../../shared/hash/cid.ts';
import type { ArtifactStore, UploadName } from '../../shared/world/artifact-store.ts';
import { openS3Store } from '../../shared/world/drivers/s3/s3.ts';
import { openArtifactStore } from '../../shared/world/open.ts';
import { available, type RunningCeph, type RunningServer, startCeph, startMoto } from '../harness/servers/index.ts';
import { suite } from '../harness/suite.ts';
import { behindProxy, once, type Subject } from './s3-behind-proxy.ts';
import { startS3Proxy } from './s3-proxy.ts';
import { newBucketUrl, S3_ANY_KEYS } from './s3-store.ts';
import { listAll, noise, OLD, pieces, putText, refusal, textOf } from './samples.ts';

const LARGE_BYTES = 20_000_000;

const test = suite('s3 store: faults of servers and networks');
for (const name of ['ceph', 'moto'] as const) {
  const found = await available(name);
  test.skipUnless(found.ok, found.ok ? '' : found.reason);
}

let ceph: RunningCeph;
let moto: RunningServer;
test.before(async () => {
  [ceph, moto] = await Promise.all([startCeph(), startMoto()]);
});
test.after(async () => {
  await Promise.all([ceph.stop(), moto.stop()]);
});

const withProxy = (run: (subject: Subject) => Promise<void>): Promise<void> => behindProxy(ceph, run);

const putLarge = (store: ArtifactStore, worldPath: string, seed: number, size = LARGE_BYTES) =>
  store.put({ worldPath, body: pieces(noise(size, seed), 1_000_003), contentType: 'image/png' });

test('a server that ignores If-None-Match is refused at the start, on PUT and on parts', async () => {
  const proxy = await startS3Proxy(moto.url);
  const open = () => openS3Store(newBucketUrl(proxy), { credentials: S3_ANY_KEYS });
  const ignoring = (part: RegExp) => {
    proxy.decide = (request) => {
      if (part.test(`${request.method} ${request.url}`)) delete request.headers['if-none-match'];
      return 'pass';
    };
  };
  ignoring(/^PUT/);
  assert.match((await refusal(open(), 'ERR_CONFIG')).message, 'PutObject');
  ignoring(/^POST/);
  assert.match((await refusal(open(), 'ERR_CONFIG')).message, 'CompleteMultipartUpload');
  ignoring(/^never/);
  await (await open()).close();
  await proxy.close();
});

test('a put whose answer was lost has created the artifact, and says so', () =>
  withProxy(async ({ proxy, store }) => {
    once(proxy, 'lose', (line) => /^PUT .*\/artifacts\/lost/.test(line));
    assert.is((await putText(store, '/artifacts/lost', 'x')).created, true);
    assert.is(proxy.seen.filter((line) => /^PUT .*\/artifacts\/lost/.test(line)).length, 2);
    assert.is((await putText(store, '/artifacts/lost', 'x')).created, false);
  }));

test('a completion whose answer was lost has created the artifact, and says so', () =>
  withProxy(async ({ proxy, store, direct }) => {
    once(proxy, 'lose', (line) => /^POST .*uploadId=/.test(line));
    const put = await putLarge(store, '/artifacts/lost', 1);
    assert.is(put.created, true);
    assert.is((await direct.stat('/artifacts/lost'))?.cid, put.cid);
  }));

test('a conflict (409) is asked again', () =>
  withProxy(async ({ proxy, store }) => {
    const body = '<Error><Code>ConditionalRequestConflict</Code></Error>';
    once(proxy, { status: 409, body }, (line) => /^PUT .*\/artifacts\/busy/.test(line));
    assert.is((await putText(store, '/artifacts/busy', 'x')).created, true);
  }));

test('a body that is cut off is an error, never a short artifact', () =>
  withProxy(async ({ proxy, store, direct }) => {
    await direct.putBytes({ worldPath: '/artifacts/cut', data: noise(500_000), contentType: 'image/png' });
    proxy.decide = ({ method }) => (method === 'GET' ? 'cut' : 'pass');
    await refusal(store.getBytes({ worldPath: '/artifacts/cut' }), 'ERR_UNAVAILABLE');
  }));

test('a large object is whole, seen only at its end, and known to every reader', () =>
  withProxy(async ({ proxy, store, direct }) => {
    const data = noise(LARGE_BYTES, 3);
    async function* watched() {
      yield* pieces(data, 700_001);
      assert.is(await direct.stat('/artifacts/large'), undefined);
      assert.equal(await listAll(direct, '/artifacts/'), []);
    }
    const put = await store.put({ worldPath: '/artifacts/large', body: watched(), contentType: 'image/png' });
    assert.is(put.cid, cidOf(data));
    const stat = await direct.stat('/artifacts/large');
    assert.equal(stat, {
      ...{ path: '/artifacts/large', contentType: 'image/png' },
      ...{ cid: put.cid, sha256: put.sha256, size: LARGE_BYTES },
    });
    const back = await direct.getBytes({ worldPath: '/artifacts/large', expectedCid: put.cid });
    assert.ok(Buffer.from(data).equals(back));
    const sentBefore = proxy.seen.filter((line) => line.includes('partNumber=')).length;
    assert.equal(await putLarge(store, '/artifacts/large', 3), { ...put, created: false });
    await refusal(putLarge(store, '/artifacts/large', 4), 'ERR_IMMUTABLE');
    assert.is(proxy.seen.filter((line) => line.includes('partNumber=')).length, sentBefore, 'nothing was sent again');
  }));

test('large writers race for one path: one wins, the others are told, no parts stay', () =>
  withProxy(async ({ store, url }) => {
    const outcomes = await Promise.allSettled([1, 2, 3, 1].map((seed) => putLarge(store, '/artifacts/race', seed)));
    const stat = await store.stat('/artifacts/race');
    const winners = outcomes.filter((outcome) => outcome.status === 'fulfilled' && outcome.value.created);
    assert.is(winners.length, 1);
    for (const outcome of outcomes) {
      if (outcome.status === 'fulfilled') assert.is(outcome.value.cid, stat?.cid);
      else assert.match(String(outcome.reason), String(stat?.cid));
    }
    await store.getBytes({ worldPath: '/artifacts/race', ...(stat && { expectedCid: stat.cid }) });
    const tomorrow = await openS3Store(url, { credentials: ceph, nowMs: () => Date.now() + 86_400_000 });
    assert.is(await tomorrow.sweepUploads(OLD), 0);
    await tomorrow.close();
  }));

test('a large stream that breaks, or is not what was expected, leaves nothing', () =>
  withProxy(async ({ store, url }) => {
    async function* breaking() {
      yield* pieces(noise(LARGE_BYTES), 1_000_000);
      throw new RangeError('the source broke');
    }
    const contentType = 'image/png';
    const broken = store.put({ worldPath: '/artifacts/a', body: breaking(), contentType });
    await broken.then(
      () => assert.unreachable('the put succeeded'),
      (error: unknown) => assert.instance(error, RangeError),
    );
    const body = pieces(noise(LARGE_BYTES), 1_000_000);
    const other = store.put({ worldPath: '/artifacts/a', body, contentType, expectedCid: cidOf('other') });
    await refusal(other, 'ERR_CID_MISMATCH');
    assert.is(await store.stat('/artifacts/a'), undefined);
    const tomorrow = await openS3Store(url, { credentials: ceph, nowMs: () => Date.now() + 86_400_000 });
    assert.is(await tomorrow.sweepUploads(OLD), 0);
    await tomorrow.close();
  }));

test('parts that a writer left behind are swept, artifacts and fresh parts are not', () =>
  withProxy(async ({ proxy, store, url }) => {
    await putText(store, '/artifacts/kept', 'x');
    // Neither completed nor aborted: as if the writer had died there.
    proxy.decide = ({ method, url: path }) =>
      /uploadId=/.test(path ?? '') && method !== 'PUT'
        ? { status: 403, body: '<Error><Code>AccessDenied</Code></Error>' }
        : 'pass';
    await refusal(putLarge(store, '/artifacts/dead', 1), 'ERR_REFUSED');
    proxy.decide = () => 'pass';
    assert.is(await store.sweepUploads(OLD), 0);
    const tomorrow = await openS3Store(url, { credentials: ceph, nowMs: () => Date.now() + 86_400_000 });
    assert.is(await tomorrow.sweepUploads(OLD), 1);
    assert.is(await tomorrow.sweepUploads(OLD), 0);
    assert.is(textOf(await tomorrow.getBytes({ worldPath: '/artifacts/kept' })), 'x');
    assert.is(await tomorrow.stat('/artifacts/dead'), undefined);
    await tomorrow.close();
  }));

async function uploadLarge(store: ArtifactStore, name: UploadName): Promise<void> {
  const contentType = 'image/png';
  const { url, headers } = await store.presignPut({ ...name, contentType, maxBytes: 1e9, ttlS: 60 });
  const body = noise(LARGE_BYTES, 1);
  const answer = await fetch(url, { method: 'PUT', body, headers: { 'content-type': contentType, ...headers } });
  assert.is(answer.status, 200);
}

const LARGE: UploadName = { uploadId: 'p.s.1', worldPath: '/artifacts/outputs/p/s/out' };

test('a large upload is copied by the server for who hashed it, and sent on by who did not', () =>
  withProxy(async ({ proxy, store, direct }) => {
    await uploadLarge(direct, LARGE);
    const sealed = await store.seal(LARGE);
    assert.is(sealed?.cid, cidOf(noise(LARGE_BYTES, 1)));
    if (sealed === undefined) return;
    proxy.seen.length = 0;
    assert.is((await store.show({ ...LARGE, contentType: 'image/png', ...sealed })).created, true);
    assert.equal(
      proxy.seen.filter((line) => line.startsWith('GET')),
      [],
      'its bytes do not come by again',
    );
    assert.equal(await direct.stat(LARGE.worldPath), { path: LARGE.worldPath, contentType: 'image/png', ...sealed });
    await direct.getBytes({ worldPath: LARGE.worldPath, expectedCid: sealed.cid });

    const other = { ...LARGE, uploadId: 'p.s.2', worldPath: `${LARGE.worldPath}-2` };
    await uploadLarge(direct, other);
    await direct.seal(other);
    assert.is((await store.show({ ...other, contentType: 'image/png', ...sealed })).created, true);
    assert.ok(proxy.seen.some((line) => line.startsWith('GET')));
    await direct.getBytes({ worldPath: other.worldPath, expectedCid: sealed.cid });
  }));

test('where a server copies no parts, a large upload is sent on', () =>
  withProxy(async ({ proxy, url, direct }) => {
    proxy.decide = ({ headers }) =>
      headers['x-amz-copy-source'] === undefined
        ? 'pass'
        : { status: 501, body: '<Error><Code>NotImplemented</Code></Error>' };
    const store = await openS3Store(url, { credentials: ceph });
    await uploadLarge(direct, LARGE);
    const sealed = await store.seal(LARGE);
    if (sealed === undefined) return assert.unreachable('nothing was sealed');
    assert.is((await store.show({ ...LARGE, contentType: 'image/png', ...sealed })).created, true);
    await direct.getBytes({ worldPath: LARGE.worldPath, expectedCid: sealed.cid });
    await store.close();
  }));

test('a copy whose last answer was lost has shown the upload', () =>
  withProxy(async ({ proxy, store, direct }) => {
    await uploadLarge(direct, LARGE);
    const sealed = await store.seal(LARGE);
    if (sealed === undefined) return assert.unreachable('nothing was sealed');
    once(proxy, 'lose', (line) => /^POST .*uploadId=/.test(line));
    assert.is((await store.show({ ...LARGE, contentType: 'image/png', ...sealed })).created, true);
    assert.is((await direct.stat(LARGE.worldPath))?.cid, sealed.cid);
  }));

test('people and containers get URLs of the public endpoint, services those of the other, both work', () =>
  withProxy(async ({ url, proxy, direct }) => {
    await putText(direct, '/artifacts/a', 'x');
    const both = new URL(url);
    both.searchParams.set('endpoint', ceph.url);
    both.searchParams.set('public_endpoint', proxy.url);
    const store = await openS3Store(both, { credentials: ceph });
    const urls = [
      await store.presign({ worldPath: '/artifacts/a', ttlS: 60 }),
      await store.presign({ worldPath: '/artifacts/a', ttlS: 60, audience: 'internal' }),
    ];
    assert.equal(
      urls.map((one) => new URL(one).origin),
      [proxy.url, ceph.url],
    );
    for (const one of urls) assert.is(await (await fetch(one)).text(), 'x');
    await store.close();
  }));

test('a prefix keeps two stores of one bucket apart', async () => {
  const url = newBucketUrl(ceph, 'team/one');
  const other = new URL(url.href.replace('/team/one', '/team/two'));
  const [one, two] = [await openS3Store(url, { credentials: ceph }), await openS3Store(other, { credentials: ceph })];
  await putText(one, '/artifacts/a', 'one');
  await putText(two, '/artifacts/a', 'two');
  assert.is(textOf(await one.getBytes({ worldPath: '/artifacts/a' })), 'one');
  assert.is((await listAll(two, '/artifacts/')).length, 1);
  await refusal(putText(one, `/artifacts/${'d/'.repeat(504)}x`, 'x'), 'ERR_TOO_LONG');
  await Promise.all([one.close(), two.close()]);
});

test('what a store cannot be opened with is said without repeating a secret', async () => {
  const url = newBucketUrl(ceph);
  const secret = randomBytes(16).toString('hex');
  const wrong = { accessKeyId: ceph.accessKeyId, secretAccessKey: secret };
  const refused = await refusal(openS3Store(url, { credentials: wrong }), 'ERR_CONFIG');
  assert.not.match(`${refused.message} ${JSON.stringify(refused)} ${String(refused.cause)}`, secret);
  assert.not.match(JSON.stringify(refused), ceph.accessKeyId);
  const missing = new URL(url);
  missing.searchParams.delete('create');
  assert.match((await refusal(openS3Store(missing, { credentials: ceph }), 'ERR_CONFIG')).message, 'NoSuchBucket');
  const nobody = new URL(url);
  nobody.searchParams.set('endpoint', 'http://127.0.0.1:9');
  await refusal(openS3Store(nobody, { credentials: ceph }), 'ERR_UNAVAILABLE');
  for (const bad of [
    's3://user:hunter2@bucket?endpoint=http://127.0.0.1:1',
    's3://bucket?endpoint=http://user:hunter2@127.0.0.1:1',
    's3://BUCKET?region=x',
    's3://bucket?endpoint=ftp://x',
    's3://bucket?region=eu-central-1&pathstyle=true',
    's3://bucket?region=eu-central-1&path_style=yes',
    's3://bucket/../x?region=eu-central-1#x',
    's3:bucket',
  ]) {
    const error = await refusal(openArtifactStore(bad), 'ERR_CONFIG');
    assert.not.match(error.message, /hunter2/);
  }
});

test.run();
