/** Conformance: uploads of processors, from staging to artifact. */
import * as assert from 'uvu/assert';
import { cidOf } from '../../shared/hash/cid.ts';
import type { ArtifactStore, StoreCapabilities, UploadName } from '../../shared/world/artifact-store.ts';
import { bytesOf, listAll, putText, refusal, textOf } from './samples.ts';
import type { StoreCase } from './store-under-test.ts';

const CSV = 'text/csv';
const FIRST: UploadName = { uploadId: 'iris-001.profile.1', worldPath: '/artifacts/outputs/iris-001/profile/out.csv' };
const RETRY: UploadName = { ...FIRST, uploadId: 'iris-001.profile.2' };

async function upload(store: ArtifactStore, name: UploadName, text: string): Promise<void> {
  const url = await store.presignPut({ ...name, contentType: CSV, maxBytes: 1_000_000, ttlS: 60 });
  const answer = await fetch(url, { method: 'PUT', body: bytesOf(text), headers: { 'content-type': CSV } });
  assert.ok(answer.ok, `upload answered ${answer.status}`);
  await answer.body?.cancel();
}

const cases: readonly StoreCase[] = [
  [
    'an upload is no artifact until it is promoted, and then it is, hashed from what arrived',
    async ({ store, open }) => {
      await upload(store, FIRST, 'a,b\n');
      assert.equal(await store.statUpload(FIRST), { size: 4 });
      assert.is(await store.stat(FIRST.worldPath), undefined);
      assert.equal(await listAll(store, '/artifacts/'), []);
      const promoted = await store.promote({ ...FIRST, contentType: CSV });
      assert.is(promoted?.cid, cidOf('a,b\n'));
      assert.is(promoted?.created, true);
      const stat = await (await open()).stat(FIRST.worldPath);
      assert.is(stat?.contentType, CSV);
      assert.is(stat?.sha256, promoted?.sha256);
      assert.is(textOf(await store.getBytes({ worldPath: FIRST.worldPath })), 'a,b\n');
    },
  ],
  [
    'promote may be called again by a caller that crashed, from another process too',
    async ({ store, open }) => {
      await upload(store, FIRST, 'same');
      const first = await store.promote({ ...FIRST, contentType: CSV });
      assert.equal(await (await open()).promote({ ...FIRST, contentType: CSV }), { ...first, created: false });
      const both = await Promise.all([1, 2].map(() => store.promote({ ...FIRST, contentType: CSV })));
      assert.equal(both, [
        { ...first, created: false },
        { ...first, created: false },
      ]);
    },
  ],
  [
    'nothing uploaded is undefined',
    async ({ store }) => {
      assert.is(await store.statUpload(FIRST), undefined);
      assert.is(await store.promote({ ...FIRST, contentType: CSV }), undefined);
      assert.is(await store.replaceOrphan({ ...FIRST, contentType: CSV, orphanCid: cidOf('x') }), undefined);
    },
  ],
  [
    'an upload for one execution or path is not the upload for another',
    async ({ store }) => {
      await upload(store, FIRST, 'mine');
      assert.is(await store.promote({ ...RETRY, contentType: CSV }), undefined);
      assert.is(await store.promote({ ...FIRST, worldPath: `${FIRST.worldPath}2`, contentType: CSV }), undefined);
    },
  ],
  [
    'a second body replaces the first before promotion, and changes nothing after it',
    async ({ store }) => {
      await upload(store, FIRST, 'draft');
      await upload(store, FIRST, 'final');
      assert.is((await store.promote({ ...FIRST, contentType: CSV }))?.cid, cidOf('final'));
      await upload(store, FIRST, 'too late');
      assert.is(textOf(await store.getBytes({ worldPath: FIRST.worldPath })), 'final');
      await refusal(store.promote({ ...FIRST, contentType: CSV }), 'ERR_IMMUTABLE');
    },
  ],
  [
    'promote refuses to overwrite, naming both CIDs, and refuses what is too large',
    async ({ store }) => {
      await putText(store, FIRST.worldPath, 'taken');
      await upload(store, FIRST, 'other');
      const error = await refusal(store.promote({ ...FIRST, contentType: CSV }), 'ERR_IMMUTABLE');
      assert.match(error.message, cidOf('taken'));
      assert.match(error.message, cidOf('other'));
      await refusal(store.promote({ ...FIRST, contentType: CSV, maxBytes: 4 }), 'ERR_OUTPUT_TOO_LARGE');
    },
  ],
  [
    'an orphan is replaced, again and again with the same end; anything else is not',
    async ({ store, open }) => {
      await upload(store, FIRST, 'orphan');
      await store.promote({ ...FIRST, contentType: CSV });
      await upload(store, RETRY, 'retry!');
      const orphanCid = cidOf('orphan');
      await refusal(store.replaceOrphan({ ...RETRY, contentType: CSV, orphanCid: cidOf('guess') }), 'ERR_IMMUTABLE');
      const replaced = await store.replaceOrphan({ ...RETRY, contentType: 'text/plain', orphanCid });
      assert.is(replaced?.cid, cidOf('retry!'));
      assert.is(replaced?.created, true);
      const again = await (await open()).replaceOrphan({ ...RETRY, contentType: 'text/plain', orphanCid });
      assert.equal(again, { ...replaced, created: false });
      assert.is(textOf(await store.getBytes({ worldPath: FIRST.worldPath, expectedCid: cidOf('retry!') })), 'retry!');
      assert.is((await (await open()).stat(FIRST.worldPath))?.contentType, 'text/plain');
      await refusal(putText(store, FIRST.worldPath, 'orphan'), 'ERR_IMMUTABLE');
    },
  ],
  [
    'replaceOrphan creates where nothing is',
    async ({ store }) => {
      await upload(store, FIRST, 'new');
      const result = await store.replaceOrphan({ ...FIRST, contentType: CSV, orphanCid: cidOf('gone') });
      assert.is(result?.created, true);
    },
  ],
  [
    'dropUploads drops one execution and no artifact',
    async ({ store }) => {
      await upload(store, FIRST, 'one');
      await upload(store, RETRY, 'two');
      await store.promote({ ...FIRST, contentType: CSV });
      await store.dropUploads(FIRST.uploadId);
      await store.dropUploads(FIRST.uploadId);
      assert.is(await store.statUpload(FIRST), undefined);
      assert.equal(await store.statUpload(RETRY), { size: 3 });
      assert.is(textOf(await store.getBytes({ worldPath: FIRST.worldPath })), 'one');
    },
  ],
  [
    'sweepUploads takes what is old enough, and no artifact',
    async ({ store, open }) => {
      await upload(store, FIRST, 'one');
      await upload(store, RETRY, 'two');
      await store.promote({ ...FIRST, contentType: CSV });
      assert.is(await store.sweepUploads({ olderThanS: 3600 }), 0);
      assert.equal(await store.statUpload(RETRY), { size: 3 });
      const tomorrow = await open({ clockOffsetMs: 86_400_000 });
      assert.is(await tomorrow.sweepUploads({ olderThanS: 3600 }), 2);
      assert.is(await store.statUpload(RETRY), undefined);
      assert.is(textOf(await store.getBytes({ worldPath: FIRST.worldPath })), 'one');
    },
  ],
  [
    'an upload id is one harmless token',
    async ({ store }) => {
      for (const uploadId of ['', '..', '../x', 'a/b', '.x', 'A', 'a b', 'x'.repeat(201)]) {
        await refusal(store.dropUploads(uploadId), 'ERR_SCHEMA');
        await refusal(store.promote({ ...FIRST, uploadId, contentType: CSV }), 'ERR_SCHEMA');
        await refusal(store.presignPut({ ...FIRST, uploadId, contentType: CSV, maxBytes: 1, ttlS: 1 }), 'ERR_SCHEMA');
      }
    },
  ],
];

export const uploadCases = (_capabilities: StoreCapabilities): readonly StoreCase[] => cases;
