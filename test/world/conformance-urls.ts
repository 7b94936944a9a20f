/** Conformance: presigned URLs are good for what they say and for nothing else. */
import * as assert from 'uvu/assert';
import type { ArtifactStore, StoreCapabilities } from '../../shared/world/artifact-store.ts';
import { bytesOf, noise, putText, refusal } from './samples.ts';
import type { StoreCase } from './store-under-test.ts';

const PATH = '/artifacts/u/é (1)?#&+.txt';
const UPLOAD = { uploadId: 'p.s.1', worldPath: '/artifacts/o/x', contentType: 'text/plain', maxBytes: 1000, ttlS: 60 };

async function statusOf(url: string | URL, request: RequestInit = {}): Promise<number> {
  const answer = await fetch(url, request);
  await answer.arrayBuffer();
  return answer.status;
}

const put = (
  body: Uint8Array,
  contentType = 'text/plain',
  headers: Readonly<Record<string, string>> = {},
): RequestInit => ({ method: 'PUT', body, headers: { ...headers, 'content-type': contentType } });

/** The URL with the last character of one query value changed. */
function altered(url: string, parameter: RegExp): URL {
  const copy = new URL(url);
  const name = [...copy.searchParams.keys()].find((key) => parameter.test(key));
  if (name === undefined) throw new Error(`no parameter like ${parameter} in the URL`);
  const value = copy.searchParams.get(name) ?? '';
  copy.searchParams.set(name, value.slice(0, -1) + (value.endsWith('1') ? '2' : '1'));
  return copy;
}

async function readable(store: ArtifactStore): Promise<string> {
  await putText(store, PATH, 'hello');
  return store.presign({ worldPath: PATH, ttlS: 60 });
}

const reading: readonly StoreCase[] = [
  [
    'a URL reads its artifact with its content type, awkward characters and all',
    async ({ store }) => {
      const answer = await fetch(await readable(store));
      assert.is(answer.status, 200);
      assert.is(answer.headers.get('content-type'), 'text/plain');
      assert.is(answer.headers.get('content-length'), '5');
      assert.is(await answer.text(), 'hello');
    },
  ],
  [
    'ranges of HTTP work',
    async ({ store }) => {
      const data = noise(600_000);
      await store.putBytes({ worldPath: '/artifacts/r', data, contentType: 'text/plain' });
      const url = await store.presign({ worldPath: '/artifacts/r', ttlS: 60 });
      const ranges: readonly [string, number, number][] = [
        ['bytes=0-0', 0, 1],
        ['bytes=10-19', 10, 20],
        ['bytes=599999-', 599_999, 600_000],
        ['bytes=-5', 599_995, 600_000],
        ['bytes=300000-9999999', 300_000, 600_000],
      ];
      for (const [range, from, to] of ranges) {
        const answer = await fetch(url, { headers: { range } });
        assert.is(answer.status, 206, range);
        assert.is(answer.headers.get('content-range'), `bytes ${from}-${to - 1}/600000`);
        assert.ok(Buffer.from(await answer.arrayBuffer()).equals(data.subarray(from, to)), range);
      }
      assert.is(await statusOf(url, { headers: { range: 'bytes=600000-' } }), 416);
    },
  ],
  [
    'a URL for what does not exist yet is signed and answers 404 until it does',
    async ({ store }) => {
      const url = await store.presign({ worldPath: PATH, ttlS: 60 });
      assert.is(await statusOf(url), 404);
      await putText(store, PATH, 'now');
      assert.is(await statusOf(url), 200);
    },
  ],
  [
    'expired, altered, foreign and unsigned URLs are refused with 403',
    async ({ store, open }) => {
      const url = await readable(store);
      const late = await open({ clockOffsetMs: -3_600_000 });
      const foreign = await open({ wrongSecret: true });
      assert.is(await statusOf(await late.presign({ worldPath: PATH, ttlS: 60 })), 403, 'expired');
      assert.is(await statusOf(await foreign.presign({ worldPath: PATH, ttlS: 60 })), 403, 'foreign');
      assert.is(await statusOf(altered(url, /signature$/i)), 403, 'signature');
      assert.is(await statusOf(altered(url, /expires$/i)), 403, 'expiry');
      await putText(store, '/artifacts/u/other', 'secret');
      const elsewhere = new URL(url);
      elsewhere.pathname = elsewhere.pathname.replace(/[^/]+$/, 'other');
      assert.is(await statusOf(elsewhere), 403, 'path');
      assert.is(await statusOf(url.replace(/\?.*/, '')), 403, 'unsigned');
    },
  ],
  [
    'a URL for reading does not write or delete',
    async ({ store }) => {
      const url = await readable(store);
      assert.is(await statusOf(url, put(bytesOf('evil'))), 403);
      assert.is(await statusOf(url, { method: 'DELETE' }), 403);
      assert.is(await statusOf(url), 200);
    },
  ],
];

const writing: readonly StoreCase[] = [
  [
    'a URL for writing does not read, and writes only what it was signed for',
    async ({ store, open }) => {
      const { url, headers } = await store.presignPut(UPLOAD);
      const body = put(bytesOf('x'), UPLOAD.contentType, headers);
      assert.is(await statusOf(url), 403, 'GET');
      assert.is(await statusOf(url, put(bytesOf('x'), 'text/html', headers)), 403, 'content type');
      assert.is(await statusOf(altered(url, /signature$/i), body), 403, 'signature');
      const late = await open({ clockOffsetMs: -3_600_000 });
      assert.is(await statusOf((await late.presignPut(UPLOAD)).url, body), 403, 'expired');
      const foreign = await open({ wrongSecret: true });
      assert.is(await statusOf((await foreign.presignPut(UPLOAD)).url, body), 403, 'foreign');
      assert.is(await store.statUpload(UPLOAD), undefined, 'nothing of it arrived');
      assert.is(await statusOf(url, body), 200);
    },
  ],
  [
    'a lifetime that is no lifetime is refused',
    async ({ store }) => {
      const { presignTtlSMax } = store.capabilities;
      for (const ttlS of [0, -1, 1.5, presignTtlSMax + 1, Number.NaN]) {
        await refusal(store.presign({ worldPath: PATH, ttlS }), 'ERR_SCHEMA');
        await refusal(store.presignPut({ ...UPLOAD, ttlS }), 'ERR_SCHEMA');
      }
      assert.type(await store.presign({ worldPath: PATH, ttlS: presignTtlSMax }), 'string');
    },
  ],
];

const limit: StoreCase = [
  'a body above its limit gets 413 and leaves what was staged before',
  async ({ store }) => {
    const { url } = await store.presignPut(UPLOAD);
    assert.is(await statusOf(url, put(noise(1000))), 200, 'at the limit');
    const answer = await fetch(url, put(noise(1001)));
    assert.is(answer.status, 413);
    assert.equal(await answer.json(), { code: 'ERR_OUTPUT_TOO_LARGE' });
    assert.equal(await store.statUpload(UPLOAD), { size: 1000 });
  },
];

export const urlCases = ({ uploadLimitInUrl }: StoreCapabilities): readonly StoreCase[] => [
  ...reading,
  ...writing,
  ...(uploadLimitInUrl ? [limit] : []),
];
