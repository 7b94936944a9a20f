/** Conformance: uploads of processors, from staging to artifact, and whose path it is. */
import * as assert from 'uvu/assert';
import { cidOf } from '../../shared/hash/cid.ts';
import type { ArtifactStore, Sealed, StoreCapabilities, UploadName } from '../../shared/world/artifact-store.ts';
import { bytesOf, listAll, putText, refusal, textOf } from './samples.ts';
import type { StoreCase } from './store-under-test.ts';

const CSV = 'text/csv';
const FIRST: UploadName = { uploadId: 'iris-001.profile.1', worldPath: '/artifacts/outputs/iris-001/profile/out.csv' };
const RETRY: UploadName = { ...FIRST, uploadId: 'iris-001.profile.2' };
const nobody = async (): Promise<boolean> => false;

/** @returns the status of the answer */
async function send(store: ArtifactStore, name: UploadName, text: string): Promise<number> {
  const { url, headers } = await store.presignPut({ ...name, contentType: CSV, maxBytes: 1_000_000, ttlS: 60 });
  const answer = await fetch(url, { method: 'PUT', body: bytesOf(text), headers: { 'content-type': CSV, ...headers } });
  await answer.body?.cancel();
  return answer.status;
}

async function upload(store: ArtifactStore, name: UploadName, text: string): Promise<void> {
  assert.is(await send(store, name, text), 200);
}

async function seal(store: ArtifactStore, name: UploadName): Promise<Sealed> {
  const sealed = await store.seal(name);
  if (sealed === undefined) throw new Error('nothing was there to be sealed');
  return sealed;
}

const show = async (store: ArtifactStore, name: UploadName, sealed?: Sealed) =>
  store.show({ ...name, contentType: CSV, ...(sealed ?? (await seal(store, name))) });

const bytesAt = async (store: ArtifactStore, worldPath: string): Promise<string> =>
  textOf(await store.getBytes({ worldPath }));

const cases: readonly StoreCase[] = [
  [
    'an upload is no artifact until it is sealed and shown, and then it is, hashed from what arrived',
    async ({ store, open }) => {
      await upload(store, FIRST, 'a,b\n');
      assert.equal(await store.statUpload(FIRST), { size: 4 });
      const sealed = await seal(store, FIRST);
      assert.is(sealed.cid, cidOf('a,b\n'));
      assert.is(await store.stat(FIRST.worldPath), undefined);
      assert.equal(await listAll(store, '/artifacts/'), []);
      assert.equal(await show(store, FIRST, sealed), { ...sealed, created: true });
      const stat = await (await open()).stat(FIRST.worldPath);
      assert.is(stat?.contentType, CSV);
      assert.is(stat?.sha256, sealed.sha256);
      assert.is(await bytesAt(store, FIRST.worldPath), 'a,b\n');
    },
  ],
  [
    'seal and show may be called again by a caller that crashed, and by others at the same time',
    async ({ store, open }) => {
      await upload(store, FIRST, 'same');
      const others = await Promise.all([open(), open()]);
      const sealed = await Promise.all([store, ...others].map((one) => one.seal(FIRST)));
      assert.equal(new Set(sealed.map((one) => one?.cid)), new Set([cidOf('same')]));
      const [first] = sealed;
      const shown = await Promise.all([store, ...others].map((one) => show(one, FIRST, first)));
      assert.is(shown.filter(({ created }) => created).length, 1);
      assert.equal(await show(await open(), FIRST, first), { ...first, created: false });
      assert.is(await bytesAt(store, FIRST.worldPath), 'same');
    },
  ],
  [
    'what another process sealed is found again by execution, path and CID alone',
    async ({ store, open }) => {
      await upload(store, FIRST, 'of one that died');
      const sealed = await seal(store, FIRST);
      const other = await open();
      await refusal(show(other, FIRST, { ...sealed, cid: cidOf('guess') }), 'ERR_CID_MISMATCH');
      assert.is(await store.stat(FIRST.worldPath), undefined);
      assert.is((await show(other, FIRST, sealed)).created, true);
      assert.is(await bytesAt(store, FIRST.worldPath), 'of one that died');
    },
  ],
  [
    'nothing uploaded is undefined, and cannot be shown',
    async ({ store }) => {
      assert.is(await store.statUpload(FIRST), undefined);
      assert.is(await store.seal(FIRST), undefined);
      const sealed = { cid: cidOf('x'), sha256: 'ab'.repeat(32), size: 1 };
      await refusal(show(store, FIRST, sealed), 'ERR_NOT_FOUND');
    },
  ],
  [
    'an upload for one execution or path is not the upload for another',
    async ({ store }) => {
      await upload(store, FIRST, 'mine');
      assert.is(await store.seal(RETRY), undefined);
      assert.is(await store.seal({ ...FIRST, worldPath: `${FIRST.worldPath}2` }), undefined);
    },
  ],
  [
    'a body that comes after the seal changes nothing, whoever asks',
    async ({ store, open }) => {
      await upload(store, FIRST, 'sealed');
      const sealed = await seal(store, FIRST);
      await send(store, FIRST, 'second');
      assert.equal(await seal(store, FIRST), sealed);
      const other = await open();
      assert.equal(await seal(other, FIRST), sealed);
      await show(other, FIRST, sealed);
      await send(store, FIRST, 'third');
      assert.is(await bytesAt(store, FIRST.worldPath), 'sealed');
      await store.dropUploads(FIRST.uploadId);
      await send(store, FIRST, 'fourth');
      // One that slept through it all.
      assert.equal(await show(other, FIRST, sealed), { ...sealed, created: false });
      const late = await seal(await open(), FIRST);
      await refusal(show(other, FIRST, late), 'ERR_IMMUTABLE');
      assert.is(await bytesAt(await open(), FIRST.worldPath), 'sealed');
    },
  ],
  [
    'bodies race with the seal: whichever it took, everybody shows that one',
    async ({ store, open }) => {
      const handles = await Promise.all([open(), open()]);
      await upload(store, FIRST, 'body 0');
      const bodies = [1, 2, 3, 4, 5, 6].map((index) => send(store, FIRST, `body ${index}`));
      const seals = await Promise.all([store, ...handles].map((one) => seal(one, FIRST)));
      await Promise.all(bodies);
      assert.is(new Set(seals.map(({ cid }) => cid)).size, 1);
      await Promise.all(handles.map((one) => show(one, FIRST, seals[0])));
      assert.is(cidOf(await bytesAt(store, FIRST.worldPath)), seals[0]?.cid);
    },
  ],
  [
    'show refuses to overwrite, naming both CIDs, and seal refuses what is too large',
    async ({ store }) => {
      await putText(store, FIRST.worldPath, 'taken');
      await upload(store, FIRST, 'other');
      const sealed = await seal(store, FIRST);
      const error = await refusal(show(store, FIRST, sealed), 'ERR_IMMUTABLE');
      assert.match(error.message, cidOf('taken'));
      assert.match(error.message, cidOf('other'));
      await refusal(store.seal({ ...FIRST, maxBytes: 4 }), 'ERR_OUTPUT_TOO_LARGE');
      assert.is(await bytesAt(store, FIRST.worldPath), 'taken');
    },
  ],
  [
    'what lies at its path already needs no seal to be shown',
    async ({ store }) => {
      const { created, ...there } = await putText(store, FIRST.worldPath, 'there');
      assert.is(created, true);
      assert.equal(await show(store, FIRST, there), { ...there, created: false });
    },
  ],
  [
    'bytes at hand are sealed like an upload: the first ones stay',
    async ({ store, open }) => {
      const log = { uploadId: FIRST.uploadId, worldPath: '/artifacts/executions/iris-001/log.txt' };
      const first = await store.sealBytes({ ...log, data: bytesOf('before the crash') });
      assert.is(first.cid, cidOf('before the crash'));
      assert.equal(await (await open()).sealBytes({ ...log, data: bytesOf('after it') }), first);
      assert.is(await store.stat(log.worldPath), undefined);
      await (await open()).show({ ...log, contentType: 'text/plain', ...first });
      assert.is(await bytesAt(store, log.worldPath), 'before the crash');
    },
  ],
  [
    'dropUploads drops one execution, sealed or not, and no artifact',
    async ({ store }) => {
      await upload(store, FIRST, 'one');
      await upload(store, RETRY, 'two');
      const sealed = await seal(store, FIRST);
      await show(store, FIRST, sealed);
      await store.dropUploads(FIRST.uploadId);
      await store.dropUploads(FIRST.uploadId);
      assert.is(await store.statUpload(FIRST), undefined);
      assert.is(await store.seal(FIRST), undefined);
      assert.equal(await store.statUpload(RETRY), { size: 3 });
      assert.is(await bytesAt(store, FIRST.worldPath), 'one');
    },
  ],
  [
    'sweepUploads takes what is old enough and nobody needs, and no artifact',
    async ({ store, open }) => {
      const third = { ...FIRST, uploadId: 'iris-001.profile.3' };
      for (const name of [FIRST, RETRY, third]) await upload(store, name, name.uploadId);
      const sealed = await seal(store, RETRY);
      await show(store, FIRST);
      assert.is(await store.sweepUploads({ olderThanS: 3600, isNeeded: nobody }), 0);
      const tomorrow = await open({ clockOffsetMs: 86_400_000 });
      const asked: string[] = [];
      const isNeeded = async (uploadId: string): Promise<boolean> => {
        asked.push(uploadId);
        if (uploadId === third.uploadId) throw new Error('who knows');
        return uploadId === RETRY.uploadId;
      };
      assert.ok((await tomorrow.sweepUploads({ olderThanS: 3600, isNeeded })) > 0);
      assert.equal(asked.sort(), [FIRST.uploadId, RETRY.uploadId, third.uploadId]);
      assert.is(await store.statUpload(FIRST), undefined);
      assert.ok(await store.statUpload(third), 'whoever cannot be asked needs it');
      assert.equal(await seal(await open(), RETRY), sealed);
      assert.ok((await tomorrow.sweepUploads({ olderThanS: 3600, isNeeded: nobody })) > 0);
      assert.is(await store.seal(RETRY), undefined);
      assert.is(await bytesAt(store, FIRST.worldPath), FIRST.uploadId);
    },
  ],
  [
    'a path is whose claim came first, for good and for every process, and claims are no artifacts',
    async ({ store, open }) => {
      const worldPath = '/artifacts/shared/out.csv';
      const racers = await Promise.all([open(), open()]);
      const owners = await Promise.all(
        Array.from({ length: 12 }, (_, index) =>
          (racers[index % 2] ?? store).claim({ worldPath, owner: `plan-${index}` }),
        ),
      );
      assert.is(new Set(owners).size, 1);
      assert.is(await store.claim({ worldPath: '/artifacts//Shared/out.csv', owner: 'later' }), owners[0]);
      assert.is(await store.claim({ worldPath: `${worldPath}2`, owner: 'later' }), 'later');
      assert.equal(await listAll(store, '/artifacts/'), []);
      const tomorrow = await open({ clockOffsetMs: 10 * 86_400_000 });
      await tomorrow.sweepUploads({ olderThanS: 3600, isNeeded: nobody });
      assert.is(await tomorrow.claim({ worldPath, owner: 'later' }), owners[0]);
    },
  ],
  [
    'a path is free for the bytes that it holds, and for any when it holds none',
    async ({ store }) => {
      const worldPath = '/artifacts/a/b';
      await store.checkFree({ worldPath, cid: cidOf('x') });
      await putText(store, worldPath, 'x');
      await store.checkFree({ worldPath, cid: cidOf('x') });
      await refusal(store.checkFree({ worldPath, cid: cidOf('y') }), 'ERR_IMMUTABLE');
    },
  ],
  [
    'an upload id is one harmless token',
    async ({ store }) => {
      for (const uploadId of ['', '..', '../x', 'a/b', '.x', 'A', 'a b', 'x'.repeat(201)]) {
        await refusal(store.dropUploads(uploadId), 'ERR_SCHEMA');
        await refusal(store.seal({ ...FIRST, uploadId }), 'ERR_SCHEMA');
        await refusal(store.sealBytes({ ...FIRST, uploadId, data: bytesOf('x') }), 'ERR_SCHEMA');
        await refusal(store.presignPut({ ...FIRST, uploadId, contentType: CSV, maxBytes: 1, ttlS: 1 }), 'ERR_SCHEMA');
      }
    },
  ],
];

const nested: StoreCase = [
  'a path below an artifact, or above one, is not free',
  async ({ store }) => {
    await putText(store, '/artifacts/a/b', 'x');
    for (const worldPath of ['/artifacts/a', '/artifacts/a/b/c', '/artifacts/a/b/c/d']) {
      await refusal(store.checkFree({ worldPath, cid: cidOf('x') }), 'ERR_UNIMPLEMENTED');
    }
  },
];

const second = (uploadOnce: boolean): StoreCase =>
  uploadOnce
    ? [
        'a URL takes one body, and answers 412 to a second; without its headers it takes none',
        async ({ store }) => {
          const contentType = CSV;
          const { url } = await store.presignPut({ ...FIRST, contentType, maxBytes: 100, ttlS: 60 });
          const bare = await fetch(url, { method: 'PUT', body: 'x', headers: { 'content-type': CSV } });
          assert.is(bare.status, 403);
          await upload(store, FIRST, 'first');
          assert.is(await send(store, FIRST, 'second'), 412);
          assert.is((await seal(store, FIRST)).cid, cidOf('first'));
        },
      ]
    : [
        'a second body replaces the first until the seal',
        async ({ store }) => {
          await upload(store, FIRST, 'draft');
          await upload(store, FIRST, 'final');
          assert.is((await seal(store, FIRST)).cid, cidOf('final'));
        },
      ];

export const uploadCases = ({ pathUnderArtifact, uploadOnce }: StoreCapabilities): readonly StoreCase[] => [
  ...cases,
  second(uploadOnce),
  ...(pathUnderArtifact ? [] : [nested]),
];
