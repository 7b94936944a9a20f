import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import * as assert from 'uvu/assert';
import { openArtifactStore } from '../../shared/world/open.ts';
import { suite } from '../harness/suite.ts';
import { runCli } from './run-cli.ts';

const test = suite('cli artifacts');

interface Place {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** A store needs no stack. */
async function withStore(use: (place: Place) => Promise<void>): Promise<void> {
  const cwd = await mkdtemp(path.join(tmpdir(), 'isomorph-cli-'));
  try {
    await use({ cwd, env: { ARTIFACTS_URL: pathToFileURL(path.join(cwd, 'world')).href } });
  } finally {
    await rm(cwd, { recursive: true, force: true });
  }
}

test('what is put is what is got, listed under its canonical path', async () => {
  await withStore(async ({ cwd, env }) => {
    await writeFile(path.join(cwd, 'a.csv'), 'x,y\n1,2\n');
    const put = await runCli(['artifact', 'put', 'a.csv', '/artifacts//Inputs/A.csv', '--json'], { cwd, env });
    const [stored] = put.documents() as [{ path: string; cid: string; content_type: string; created: boolean }];
    assert.is(stored.path, '/artifacts/inputs/a.csv');
    assert.is(stored.content_type, 'text/csv; charset=utf-8');
    assert.is(stored.created, true);
    assert.is(
      (await runCli(['artifact', 'get', stored.path, '-o', 'b.csv', '--cid', stored.cid], { cwd, env })).code,
      0,
    );
    assert.is(await readFile(path.join(cwd, 'b.csv'), 'utf8'), 'x,y\n1,2\n');
    assert.is((await runCli(['artifact', 'cat', stored.path], { cwd, env })).stdout, 'x,y\n1,2\n');
    for (const prefix of [[], ['/artifacts/inputs'], ['/artifacts/inputs/'], [stored.path]]) {
      const ls = await runCli(['artifact', 'ls', ...prefix, '--json'], { cwd, env });
      assert.equal(ls.documents(), [{ path: stored.path, size: 8 }]);
    }
  });
});

test('standard input is put; the same bytes again are no fault, other bytes are', async () => {
  await withStore(async ({ cwd, env }) => {
    const put = (stdin: string) => runCli(['artifact', 'put', '-', '/artifacts/a.json'], { cwd, env, stdin });
    assert.is((await put('{}')).code, 0);
    const again = await put('{}');
    assert.is(again.code, 0);
    assert.match(again.stdout, /was there already/);
    const other = await put('[]');
    assert.is(other.code, 1);
    assert.match(other.stderr, /^error ERR_IMMUTABLE/);
  });
});

test('nothing is put where a path is a plan’s, by its name or by its claim', async () => {
  await withStore(async ({ cwd, env }) => {
    const store = await openArtifactStore(env.ARTIFACTS_URL ?? '');
    await store.claim({ worldPath: '/artifacts/shared/a', owner: 'iris' });
    await store.close();
    for (const taken of ['/artifacts/outputs/iris/a', '/artifacts/plans/iris', '/artifacts/shared/a']) {
      const put = await runCli(['artifact', 'put', '-', taken], { cwd, env, stdin: '{}' });
      assert.is(put.code, 1, taken);
      assert.match(put.stderr, /^error ERR_IMMUTABLE: .* belongs to the plan iris/);
    }
    assert.equal((await runCli(['artifact', 'ls', '--json'], { cwd, env })).documents(), []);
  });
});

test('bytes with another hash than was asked for leave no file', async () => {
  await withStore(async ({ cwd, env }) => {
    await runCli(['artifact', 'put', '-', '/artifacts/a.txt'], { cwd, env, stdin: 'a' });
    const cid = `blake3:${'0'.repeat(64)}`;
    const got = await runCli(['artifact', 'get', '/artifacts/a.txt', '--cid', cid], { cwd, env });
    assert.is(got.code, 1);
    assert.match(got.stderr, /^error ERR_CID_MISMATCH/);
    assert.equal(await readdir(cwd), ['world']);
    assert.is((await runCli(['artifact', 'cat', '/artifacts/a.txt', '--cid', 'x'], { cwd, env })).code, 2);
  });
});

test('what is not there, and what is no WorldPath, is told by its code', async () => {
  await withStore(async ({ cwd, env }) => {
    const codeOf = async (...args: string[]): Promise<string> => {
      const { code, stderr } = await runCli(['artifact', ...args], { cwd, env });
      assert.is(code, 1, args.join(' '));
      return /^error (\w+)/.exec(stderr)?.[1] ?? stderr;
    };
    assert.is(await codeOf('get', '/artifacts/nope'), 'ERR_NOT_FOUND');
    assert.is(await codeOf('stat', '/artifacts/nope'), 'ERR_NOT_FOUND');
    assert.is(await codeOf('put', 'nope.csv', '/artifacts/nope'), 'ERR_FILE');
    assert.is(await codeOf('cat', '/elsewhere/a'), 'ERR_BAD_FACET');
    assert.is(await codeOf('cat', '/artifacts/'), 'ERR_SELECTOR_KIND_MISMATCH');
    assert.is(await codeOf('ls', '/artifacts/../a'), 'ERR_DOT_SEGMENTS');
  });
});

test.run();
