/** What writers leave behind that were killed, and what people do to the folder. */
import { createHash } from 'node:crypto';
import { chmod, link, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as assert from 'uvu/assert';
import { cidOf } from '../../shared/hash/cid.ts';
import type { ArtifactStore, UploadName } from '../../shared/world/artifact-store.ts';
import { openFileStore } from '../../shared/world/drivers/file/file.ts';
import { openArtifactStore } from '../../shared/world/open.ts';
import { suite } from '../harness/suite.ts';
import { makeFolder } from './file-store.ts';
import { surviveKills } from './killed-writer.ts';
import { bytesOf, listAll, noise, pieces, putText, refusal, textOf } from './samples.ts';

const test = suite('file store: crashes and hands');

async function withFolder(run: (folder: string, store: ArtifactStore) => Promise<void>): Promise<void> {
  const folder = await makeFolder();
  try {
    await run(folder, await openFileStore(pathToFileURL(folder)));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

test('kill -9 amid 200 concurrent puts: what is listed is whole, what was reported is there', () =>
  withFolder(async (folder, store) => {
    const url = pathToFileURL(folder);
    const tomorrow = await openFileStore(url, { nowMs: () => Date.now() + 86_400_000 });
    await surviveKills({ url: url.href, largestBytes: 300_000 }, store, tomorrow);
  }));

/** Does what a writer does up to the instant before its object becomes visible, and stops there. */
async function dyingPut(folder: string, worldPath: string, text: string, contentType: string): Promise<void> {
  const meta = join(folder, '.isomorph', 'meta', worldPath);
  await mkdir(join(meta, '..'), { recursive: true });
  const sha256 = createHash('sha256').update(text).digest('hex');
  const size = Buffer.byteLength(text);
  await writeFile(meta, JSON.stringify({ cid: cidOf(text), sha256, size, content_type: contentType }));
}

/** Metadata of writers that met another's; it costs every reader a hash of the object as long as it is there. */
async function contestedFiles(folder: string): Promise<readonly string[]> {
  const entries = await readdir(join(folder, '.isomorph'), { recursive: true });
  return entries.filter((name) => name.startsWith('contested/') && name.endsWith('.json'));
}

async function receive(folder: string, upload: UploadName, text: string): Promise<void> {
  const store = await openFileStore(pathToFileURL(folder));
  await store.receiveUpload({ ...upload, body: pieces(bytesOf(text), 2), maxBytes: 100 });
}

test('metadata of a writer that died does not describe the object of the next', () =>
  withFolder(async (folder, store) => {
    await dyingPut(folder, '/artifacts/same-size', 'AAAA', 'text/html');
    await dyingPut(folder, '/artifacts/same-bytes', 'BBBB', 'text/html');
    await dyingPut(folder, '/artifacts/other-size', 'A', 'text/html');
    assert.is(await store.stat('/artifacts/same-size'), undefined);
    assert.equal(await listAll(store, '/artifacts/'), []);
    for (const name of ['same-size', 'same-bytes', 'other-size']) {
      assert.is((await putText(store, `/artifacts/${name}`, 'BBBB')).created, true);
      const found = await store.stat(`/artifacts/${name}`);
      assert.is(found?.cid, cidOf('BBBB'), name);
      assert.is(found?.contentType, 'text/plain', name);
    }
    await refusal(putText(store, '/artifacts/same-size', 'AAAA'), 'ERR_IMMUTABLE');
    assert.equal(await contestedFiles(folder), []);
  }));

test('a race leaves one set of metadata', () =>
  withFolder(async (folder, store) => {
    await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) => putText(store, '/artifacts/race', `text ${index}`)),
    );
    assert.equal(await contestedFiles(folder), []);
    const won = await store.stat('/artifacts/race');
    const meta = await readFile(join(folder, '.isomorph', 'meta', 'artifacts', 'race'), 'utf8');
    assert.is(JSON.parse(meta).cid, won?.cid);
  }));

test('a sealed file is dropped and another sealed under its name: the first hash is not told of the second', () =>
  withFolder(async (folder, store) => {
    const upload = { uploadId: 'p.s.1', worldPath: '/artifacts/a' };
    await receive(folder, upload, 'first');
    assert.is((await store.seal(upload))?.cid, cidOf('first'));
    await (await openFileStore(pathToFileURL(folder))).dropUploads(upload.uploadId);
    await receive(folder, upload, 'later');
    assert.is((await store.seal(upload))?.cid, cidOf('later'));
  }));

test('a claim that is damaged gives its path to nobody', () =>
  withFolder(async (folder, store) => {
    await store.claim({ worldPath: '/artifacts/a', owner: 'plan' });
    const claims = join(folder, '.isomorph', 'claims');
    const [file = ''] = (await readdir(claims, { recursive: true })).filter((name) => name.includes('/'));
    await chmod(join(claims, file), 0o644);
    await writeFile(join(claims, file), '{"own');
    await refusal(store.claim({ worldPath: '/artifacts/a', owner: 'plan' }), 'ERR_INTERNAL');
  }));

test('metadata of a writer that died does not block its name as a folder', () =>
  withFolder(async (folder, store) => {
    await dyingPut(folder, '/artifacts/a', 'x', 'text/html');
    await putText(store, '/artifacts/a/b', 'below');
    await putText(store, '/artifacts/a/c/d', 'deeper');
    assert.is((await store.stat('/artifacts/a/b'))?.contentType, 'text/plain');
    assert.is((await store.stat('/artifacts/a/c/d'))?.contentType, 'text/plain');
  }));

test('people can browse the folder: the key is the path, the file is read-only', () =>
  withFolder(async (folder, store) => {
    await putText(store, '/artifacts/out/report.csv', 'a,b');
    const file = join(folder, 'artifacts', 'out', 'report.csv');
    assert.is(await readFile(file, 'utf8'), 'a,b');
    assert.is((await stat(file)).mode & 0o777, 0o444);
  }));

test('an object that was altered on the disk is found out', () =>
  withFolder(async (folder, store) => {
    await putText(store, '/artifacts/a', 'good');
    await putText(store, '/artifacts/b', 'good');
    for (const [name, text] of [
      ['a', 'evil'],
      ['b', 'longer than it was'],
    ] as const) {
      const file = join(folder, 'artifacts', name);
      await chmod(file, 0o644);
      await writeFile(file, text);
      const attempt = store.getBytes({ worldPath: `/artifacts/${name}`, expectedCid: cidOf('good') });
      await refusal(attempt, 'ERR_CID_MISMATCH');
    }
    assert.is((await store.stat('/artifacts/b'))?.cid, cidOf('longer than it was'));
  }));

test('of an altered object the last chunk is never handed on', () =>
  withFolder(async (folder, store) => {
    const data = noise(1_000_000);
    const { cid } = await store.putBytes({ worldPath: '/artifacts/a', data, contentType: 'image/png' });
    const file = join(folder, 'artifacts', 'a');
    await chmod(file, 0o644);
    await writeFile(file, noise(1_000_000, 2));
    const { body } = await store.get({ worldPath: '/artifacts/a', expectedCid: cid });
    let received = 0;
    const reading = async (): Promise<void> => {
      for await (const chunk of body) received += chunk.byteLength;
    };
    await refusal(reading(), 'ERR_CID_MISMATCH');
    assert.ok(received < data.byteLength, `${received} bytes were handed on`);
  }));

test('what did not come through the store is no artifact, or only its bytes count', () =>
  withFolder(async (folder, store) => {
    await symlink('/etc/hostname', join(folder, 'artifacts', 'link'));
    await writeFile(join(folder, 'artifacts', 'Upper.TXT'), 'x');
    await writeFile(join(folder, 'artifacts', 'by-hand'), 'hand');
    assert.is(await store.stat('/artifacts/link'), undefined);
    assert.equal(await listAll(store, '/artifacts/'), [{ path: '/artifacts/by-hand', size: 4 }]);
    const found = await store.stat('/artifacts/by-hand');
    assert.is(found?.cid, cidOf('hand'));
    assert.is(found?.contentType, 'application/octet-stream');
  }));

test('what lies behind a symbolic link to a folder is no part of the store, and nothing is written or removed there', () =>
  withFolder(async (folder, store) => {
    const outside = await makeFolder();
    try {
      await writeFile(join(outside, 'secret'), 'secret');
      await mkdir(join(outside, 'deep'));
      await writeFile(join(outside, 'deep', 'secret'), 'secret');
      await putText(store, '/artifacts/real/a', 'x');
      await symlink(outside, join(folder, 'artifacts', 'away'));
      await symlink(outside, join(folder, '.isomorph', 'staging', 'away'));
      for (const worldPath of ['/artifacts/away/secret', '/artifacts/away/deep/secret']) {
        assert.is(await store.stat(worldPath), undefined);
        await refusal(store.getBytes({ worldPath }), 'ERR_NOT_FOUND');
        await refusal(putText(store, worldPath, 'other'), 'ERR_UNIMPLEMENTED');
      }
      await refusal(putText(store, '/artifacts/away/new/one', 'x'), 'ERR_UNIMPLEMENTED');
      for (const prefix of ['/artifacts/', '/artifacts/away/', '/artifacts/away/deep/']) {
        const expected = prefix === '/artifacts/' ? [{ path: '/artifacts/real/a', size: 1 }] : [];
        assert.equal(await listAll(store, prefix), expected, prefix);
      }
      const upload = { uploadId: 'away', worldPath: '/artifacts/b' };
      await refusal(receive(folder, upload, 'x'), 'ERR_UNIMPLEMENTED');
      assert.is(await store.statUpload(upload), undefined);
      const tomorrow = await openFileStore(pathToFileURL(folder), { nowMs: () => Date.now() + 86_400_000 });
      assert.is(await tomorrow.sweepUploads({ olderThanS: 1, isNeeded: async () => false }), 0);
      assert.equal((await readdir(outside, { recursive: true })).sort(), ['deep', 'deep/secret', 'secret']);
    } finally {
      await rm(outside, { recursive: true, force: true });
    }
  }));

test('a store may itself lie behind a link', () =>
  withFolder(async (folder, store) => {
    await putText(store, '/artifacts/a', 'x');
    await symlink(folder, `${folder}.link`);
    try {
      const linked = await openFileStore(pathToFileURL(`${folder}.link`));
      await putText(linked, '/artifacts/b', 'y');
      assert.is((await store.stat('/artifacts/b'))?.cid, cidOf('y'));
    } finally {
      await rm(`${folder}.link`);
    }
  }));

test('damaged metadata is seen through', () =>
  withFolder(async (folder, store) => {
    await putText(store, '/artifacts/a', 'x');
    const meta = join(folder, '.isomorph', 'meta', 'artifacts', 'a');
    await chmod(meta, 0o644);
    await writeFile(meta, '{"cid":');
    assert.is((await store.stat('/artifacts/a'))?.cid, cidOf('x'));
  }));

test('a copy of the folder is the same store', () =>
  withFolder(async (folder, store) => {
    await putText(store, '/artifacts/a', 'x');
    const original = await store.stat('/artifacts/a');
    const object = join(folder, 'artifacts', 'a');
    await link(object, join(folder, 'kept'));
    await rm(object);
    await writeFile(object, await readFile(join(folder, 'kept')));
    assert.equal(await store.stat('/artifacts/a'), original);
    assert.is(textOf(await store.getBytes({ worldPath: '/artifacts/a' })), 'x');
  }));

test('a store is opened by its URL, and what no driver knows is refused without repeating the URL', () =>
  withFolder(async (folder) => {
    const store = await openArtifactStore(pathToFileURL(join(folder, 'made', 'on demand')).href);
    assert.is(store.driver, 'file');
    await putText(store, '/artifacts/a', 'x');
    assert.is(await readFile(join(folder, 'made', 'on demand', 'artifacts', 'a'), 'utf8'), 'x');
    for (const url of ['ftp://user:hunter2@host/x', 'nonsense', '', 'toString:x']) {
      const error = await refusal(openArtifactStore(url), 'ERR_CONFIG');
      assert.not.match(error.message, /hunter2/);
      assert.match(String(error.place.expected), /file/);
    }
    for (const url of ['file:///', 'file:///x?y=1']) await refusal(openArtifactStore(url), 'ERR_CONFIG');
    await writeFile(join(folder, 'plain'), '');
    await refusal(openArtifactStore(pathToFileURL(join(folder, 'plain')).href), 'ERR_UNAVAILABLE');
  }));

test.run();
