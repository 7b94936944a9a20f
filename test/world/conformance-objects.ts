/** Conformance: objects. Immutable, whole, hashed, listed. */
import { createHash } from 'node:crypto';
import * as assert from 'uvu/assert';
import { cidOf } from '../../shared/hash/cid.ts';
import type { StoreCapabilities } from '../../shared/world/artifact-store.ts';
import { bytesOf, collect, listAll, noise, pieces, putText, refusal, textOf } from './samples.ts';
import type { StoreCase } from './store-under-test.ts';

const writing: readonly StoreCase[] = [
  [
    'what was put comes back, with its CID, digest, size and content type',
    async ({ store, open }) => {
      const data = noise(100_000);
      const expected = { cid: cidOf(data), sha256: createHash('sha256').update(data).digest('hex'), size: 100_000 };
      const put = await store.putBytes({ worldPath: '/artifacts/a/b.bin', data, contentType: 'image/png' });
      assert.equal(put, { ...expected, created: true });
      const reopened = await open();
      for (const handle of [store, reopened]) {
        assert.equal(await handle.stat('/artifacts/a/b.bin'), {
          path: '/artifacts/a/b.bin',
          ...expected,
          contentType: 'image/png',
        });
        assert.ok(Buffer.from(data).equals(await handle.getBytes({ worldPath: '/artifacts/a/b.bin' })));
      }
      assert.is(store.computeCid(data), expected.cid);
    },
  ],
  [
    'every spelling of a path is the same artifact',
    async ({ store }) => {
      await putText(store, '/Artifacts//Caf%C3%A9/X 1.txt', 'x');
      for (const spelling of ['/artifacts/café/x 1.txt', '/artifacts/cafe\u0301/x%201.txt']) {
        assert.is((await store.stat(spelling))?.path, '/artifacts/café/x 1.txt');
      }
      assert.is((await putText(store, '/ARTIFACTS/CAFÉ/X 1.TXT', 'x')).created, false);
    },
  ],
  [
    'awkward but legal names survive: punctuation, other scripts, the longest segment and the longest key',
    async ({ store }) => {
      const names = [
        'a?b#c&d=e+f',
        "it's (1) [2] ~!@$^,;:",
        '漢字/🚀',
        '.hidden',
        'é'.repeat(127),
        `${'d/'.repeat(500)}x`,
      ];
      for (const name of names) {
        await putText(store, `/artifacts/n/${name}`, name);
        assert.is(textOf(await store.getBytes({ worldPath: `/artifacts/n/${name}` })), name);
      }
      assert.is((await listAll(store, '/artifacts/n/')).length, names.length);
    },
  ],
  [
    'an empty artifact is an artifact',
    async ({ store }) => {
      assert.is((await putText(store, '/artifacts/empty', '')).cid, cidOf(''));
      assert.is((await store.getBytes({ worldPath: '/artifacts/empty', expectedCid: cidOf('') })).byteLength, 0);
    },
  ],
  [
    'the same bytes again succeed, other bytes are refused naming both CIDs, and the first stay',
    async ({ store, open }) => {
      const first = await putText(store, '/artifacts/a', 'first');
      assert.equal(await putText(await open(), '/artifacts/a', 'first'), { ...first, created: false });
      const error = await refusal(putText(store, '/artifacts/a', 'second'), 'ERR_IMMUTABLE');
      assert.match(error.message, first.cid);
      assert.match(error.message, cidOf('second'));
      assert.is(textOf(await store.getBytes({ worldPath: '/artifacts/a' })), 'first');
    },
  ],
  [
    'twenty writers race for one path: one wins, all others are told the truth',
    async ({ store, open }) => {
      const handles = [store, await open(), await open(), await open()];
      const texts = Array.from({ length: 20 }, (_, index) => `writer ${String(index % 10).padStart(2, '0')}`);
      const outcomes = await Promise.allSettled(
        texts.map((text, index) => putText(handles[index % 4] ?? store, '/artifacts/race', text)),
      );
      const won = textOf(await store.getBytes({ worldPath: '/artifacts/race' }));
      assert.is((await store.stat('/artifacts/race'))?.cid, cidOf(won));
      assert.is(outcomes.filter((o) => o.status === 'fulfilled' && o.value.created).length, 1);
      for (const [index, outcome] of outcomes.entries()) {
        if (outcome.status === 'fulfilled') assert.is(texts[index], won);
        else assert.match(String((outcome.reason as Error).message), cidOf(won));
      }
      assert.is(outcomes.filter((o) => o.status === 'fulfilled').length, 2, 'two writers offered each text');
      assert.is(cidOf(await (await open()).getBytes({ worldPath: '/artifacts/race' })), cidOf(won));
    },
  ],
  [
    'a stream is stored whole, and its expected CID is held to',
    async ({ store }) => {
      const data = noise(9_000_001);
      const contentType = 'application/octet-stream';
      const wrong = cidOf('other');
      const worldPath = '/artifacts/stream';
      await refusal(
        store.put({ worldPath, body: pieces(data, 65_521), contentType, expectedCid: wrong }),
        'ERR_CID_MISMATCH',
      );
      assert.is(await store.stat(worldPath), undefined);
      const put = await store.put({ worldPath, body: pieces(data, 65_521), contentType, expectedCid: cidOf(data) });
      assert.is(put.size, data.byteLength);
      assert.ok(Buffer.from(data).equals(await store.getBytes({ worldPath, expectedCid: cidOf(data) })));
    },
  ],
  [
    'a stream that breaks leaves nothing behind and passes its own error on',
    async ({ store }) => {
      async function* breaking() {
        yield noise(1000);
        throw new RangeError('the source broke');
      }
      const attempt = store.put({ worldPath: '/artifacts/broken', body: breaking(), contentType: 'text/plain' });
      await attempt.then(
        () => assert.unreachable('the put succeeded'),
        (error: unknown) => assert.instance(error, RangeError),
      );
      assert.is(await store.stat('/artifacts/broken'), undefined);
      assert.equal(await listAll(store, '/artifacts/'), []);
      assert.is((await putText(store, '/artifacts/broken', 'later')).created, true);
    },
  ],
  [
    'paths and content types are checked before anything is written',
    async ({ store }) => {
      await refusal(putText(store, '/artifacts/../etc/passwd', 'x'), 'ERR_DOT_SEGMENTS');
      await refusal(putText(store, '/artifacts/a%2Fb', 'x'), 'ERR_DECODED_SLASH');
      await refusal(putText(store, '/artifacts/a/', 'x'), 'ERR_SELECTOR_KIND_MISMATCH');
      await refusal(putText(store, '/.isomorph/meta/x', 'x'), 'ERR_BAD_FACET');
      await refusal(store.stat('/artifacts/a/'), 'ERR_SELECTOR_KIND_MISMATCH');
      for (const contentType of ['', 'text', 'text/plain\r\nx-evil: 1', 'a/b; c']) {
        const attempt = store.putBytes({ worldPath: '/artifacts/a', data: bytesOf('x'), contentType });
        await refusal(attempt, 'ERR_SCHEMA');
      }
    },
  ],
];

const reading: readonly StoreCase[] = [
  [
    'what does not exist is undefined to stat and ERR_NOT_FOUND to get',
    async ({ store }) => {
      assert.is(await store.stat('/artifacts/none'), undefined);
      await refusal(store.getBytes({ worldPath: '/artifacts/none' }), 'ERR_NOT_FOUND');
      await refusal(store.get({ worldPath: '/artifacts/none/deeper' }), 'ERR_NOT_FOUND');
      await putText(store, '/artifacts/folder/file', 'x');
      assert.is(await store.stat('/artifacts/folder'), undefined);
    },
  ],
  [
    'get refuses bytes that are not the expected ones',
    async ({ store }) => {
      await putText(store, '/artifacts/a', 'one');
      await refusal(store.getBytes({ worldPath: '/artifacts/a', expectedCid: cidOf('two') }), 'ERR_CID_MISMATCH');
    },
  ],
  [
    'ranges give exactly their bytes, are cut at the end and refused outside',
    async ({ store }) => {
      const data = noise(700_000);
      await store.putBytes({ worldPath: '/artifacts/r', data, contentType: 'text/plain' });
      const ranges: readonly [number, number | undefined][] = [
        [0, 1],
        [0, undefined],
        [262_143, 3],
        [699_999, undefined],
        [1, 10_000_000],
      ];
      for (const [offset, length] of ranges) {
        const range = { offset, ...(length && { length }) };
        const { stat, body } = await store.get({ worldPath: '/artifacts/r', range });
        assert.is(stat.size, data.byteLength);
        assert.ok(Buffer.from(data.subarray(offset, offset + (length ?? Infinity))).equals(await collect(body)));
      }
      for (const range of [{ offset: 700_000 }, { offset: -1 }, { offset: 0, length: 0 }, { offset: 0.5 }]) {
        await refusal(store.get({ worldPath: '/artifacts/r', range }), 'ERR_RANGE');
      }
    },
  ],
  [
    'a reader may stop early',
    async ({ store }) => {
      await store.putBytes({ worldPath: '/artifacts/r', data: noise(2_000_000), contentType: 'text/plain' });
      const { body } = await store.get({ worldPath: '/artifacts/r', expectedCid: cidOf(noise(2_000_000)) });
      for await (const chunk of body) {
        assert.ok(chunk.byteLength > 0);
        break;
      }
    },
  ],
  [
    'list walks pages in byte order on segment borders, with sizes, and without what is staged',
    async ({ store }) => {
      const names = ['a', 'a-b', 'a0', 'b/c', 'b/d/e', 'b-x', 'é', '漢', '\u{1f680}', '\ufb00'];
      for (const name of names) await putText(store, `/artifacts/list/${name}`, name);
      await putText(store, '/artifacts/list2/x', 'x');
      const expected = names
        .map((name) => ({ path: `/artifacts/list/${name}`, size: Buffer.byteLength(name) }))
        .sort((left, right) => Buffer.compare(Buffer.from(left.path), Buffer.from(right.path)));
      for (const limit of [1, 3, names.length, undefined]) {
        assert.equal(await listAll(store, '/artifacts/list/', limit), expected);
      }
      assert.equal(
        await listAll(store, '/artifacts/list/b/'),
        expected.filter(({ path }) => path.includes('/b/')),
      );
      assert.equal(await listAll(store, '/artifacts/none/'), []);
      assert.equal(await listAll(store, '/streams/'), []);
      assert.is((await listAll(store, '/artifacts/')).length, names.length + 1);
      await refusal(store.list({ prefix: '/artifacts/list' }), 'ERR_SELECTOR_KIND_MISMATCH');
      for (const limit of [0, 1001, 1.5]) await refusal(store.list({ prefix: '/artifacts/', limit }), 'ERR_SCHEMA');
    },
  ],
];

const nesting = ({ pathUnderArtifact }: StoreCapabilities): StoreCase => [
  `a path under an artifact ${pathUnderArtifact ? 'is another artifact' : 'is refused with ERR_UNIMPLEMENTED'}`,
  async ({ store }) => {
    await putText(store, '/artifacts/x', 'file');
    await putText(store, '/artifacts/y/z', 'file');
    const nested = [putText(store, '/artifacts/x/deep/er', 'below'), putText(store, '/artifacts/y', 'above')];
    if (pathUnderArtifact) await Promise.all(nested);
    else for (const attempt of nested) await refusal(attempt, 'ERR_UNIMPLEMENTED');
    assert.is(textOf(await store.getBytes({ worldPath: '/artifacts/x' })), 'file');
    assert.is(textOf(await store.getBytes({ worldPath: '/artifacts/y/z' })), 'file');
  },
];

export const objectCases = (capabilities: StoreCapabilities): readonly StoreCase[] => [
  ...writing,
  ...reading,
  nesting(capabilities),
];
