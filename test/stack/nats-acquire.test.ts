import { createHash } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { parseVersion, requireNewEnough } from '../../shared/nats/server-version.ts';
import { acquireNatsServer } from '../../stack/nats/acquire.ts';
import { checkPackage, debianSource } from '../../stack/nats/debian-source.ts';
import { releaseArchive, releasePlatform, releaseSource } from '../../stack/nats/release-source.ts';
import type { NatsSource } from '../../stack/nats/sources.ts';
import { suite } from '../harness/suite.ts';
import { withTempDir } from './fixture.ts';

const test = suite('stack nats acquire');

/** A stand-in that answers `--version` as told. */
async function fakeServer(path: string, prints: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `#!/bin/sh\necho '${prints}'\n`);
  await chmod(path, 0o755);
  return path;
}

/** A source that hands out a stand-in and counts how often it was asked. */
function fakeSource(prints: string): NatsSource & { asked: number } {
  const source = {
    name: 'fake source',
    asked: 0,
    obtain: async ({ workDir }: { workDir: string }) => {
      source.asked++;
      return { binary: await fakeServer(join(workDir, 'made', 'nats-server'), prints), origin: 'a test' };
    },
  };
  return source;
}

async function configError(attempt: Promise<unknown>): Promise<IsomorphError> {
  try {
    await attempt;
  } catch (thrown) {
    if (thrown instanceof IsomorphError) return thrown;
    throw thrown;
  }
  throw new Error('nothing was thrown');
}

test('versions are read as nats-server and Debian write them', () => {
  assert.equal(parseVersion('nats-server: v2.15.1'), { major: 2, minor: 15, patch: 1 });
  assert.equal(parseVersion('nats-server: v2.12.0-RC.3'), { major: 2, minor: 12, patch: 0 });
  assert.equal(parseVersion('2.15.1-1'), { major: 2, minor: 15, patch: 1 });
  assert.is(parseVersion('nats-server: unknown'), undefined);
});

test('a server with published holes is refused by whoever prepares a deployment on it', () => {
  for (const version of ['2.12.6', '2.15.1']) requireNewEnough(version);
  for (const version of ['2.12.5', '2.11.15', undefined]) {
    assert.throws(
      () => requireNewEnough(version),
      (error: IsomorphError) => error.code === 'ERR_CONFIG' && error.place.expected === 'nats-server >= 2.12.6',
    );
  }
});

test('NATS_SERVER comes first', async () => {
  await withTempDir(async (dir) => {
    const named = await fakeServer(join(dir, 'named'), 'nats-server: v2.13.4');
    await fakeServer(join(dir, 'bin/nats-server'), 'nats-server: v2.15.0');
    const found = await acquireNatsServer({
      cacheDir: dir,
      env: { NATS_SERVER: named, PATH: join(dir, 'bin') },
      sources: [],
    });
    assert.equal(found, { path: named, version: '2.13.4', source: 'NATS_SERVER', origin: 'NATS_SERVER' });
  });
});

test('a NATS_SERVER that cannot be used is refused with its reason, not passed over', async () => {
  await withTempDir(async (dir) => {
    await fakeServer(join(dir, 'bin/nats-server'), 'nats-server: v2.15.0');
    const tryNamed = async (path: string): Promise<IsomorphError> =>
      configError(acquireNatsServer({ cacheDir: dir, env: { NATS_SERVER: path, PATH: join(dir, 'bin') } }));
    const old = await tryNamed(await fakeServer(join(dir, 'old'), 'nats-server: v2.10.27'));
    assert.is(old.code, 'ERR_CONFIG');
    assert.is(old.place.pointer, 'NATS_SERVER');
    assert.match(old.message, 'old is 2.10.27, older than 2.12.6');
    assert.match((await tryNamed(join(dir, 'missing'))).message, 'missing does not run');
    assert.match(
      (await tryNamed(await fakeServer(join(dir, 'other'), 'redis 7.0.15'))).message,
      'does not answer --version',
    );
  });
});

test('PATH comes before the cache, and one that is too old is passed over', async () => {
  await withTempDir(async (dir) => {
    const [old, recent] = [join(dir, 'old'), join(dir, 'recent')];
    // The last of those with published holes, and the first without.
    await fakeServer(join(old, 'nats-server'), 'nats-server: v2.12.5');
    await fakeServer(join(recent, 'nats-server'), 'nats-server: v2.12.6');
    const source = fakeSource('nats-server: v2.15.1');
    const onPath = await acquireNatsServer({ cacheDir: dir, env: { PATH: `${old}:${recent}` }, sources: [source] });
    assert.is(onPath.path, join(recent, 'nats-server'));
    assert.is(source.asked, 0);
    const obtained = await acquireNatsServer({ cacheDir: dir, env: { PATH: old }, sources: [source] });
    assert.is(obtained.source, 'obtained');
  });
});

test('what was obtained once is found in the cache, of ISOMORPH_CACHE too', async () => {
  await withTempDir(async (dir) => {
    const source = fakeSource('nats-server: v2.15.1');
    const acquire = () => acquireNatsServer({ env: { ISOMORPH_CACHE: dir }, sources: [source] });
    const [first, second] = [await acquire(), await acquire()];
    assert.is(first.source, 'obtained');
    assert.equal(second, { ...first, source: 'cache' });
    assert.is(source.asked, 1);
    assert.ok(first.path.startsWith(dir));
  });
});

test('a damaged cache entry is replaced', async () => {
  await withTempDir(async (dir) => {
    const source = fakeSource('nats-server: v2.15.1');
    const acquire = () => acquireNatsServer({ cacheDir: dir, env: {}, sources: [source] });
    const { path } = await acquire();
    const whole = await readFile(path);
    await writeFile(path, whole.subarray(0, 10));
    assert.is((await acquire()).source, 'obtained');
    assert.equal(await readFile(path), whole);
  });
});

test('many at once end with one whole entry and no leavings', async () => {
  await withTempDir(async (dir) => {
    const source = fakeSource('nats-server: v2.15.1');
    const found = await Promise.all(
      Array.from({ length: 8 }, () => acquireNatsServer({ cacheDir: dir, env: {}, sources: [source] })),
    );
    assert.is(new Set(found.map(({ path }) => path)).size, 1);
    assert.equal(await readdir(join(dir, 'nats-server')), [`2.15.1-${process.platform}-${process.arch}`]);
  });
});

test('when nothing works the message lists what was tried and what to do', async () => {
  await withTempDir(async (dir) => {
    await fakeServer(join(dir, 'nats-server'), 'nats-server: v2.9.10');
    const broken: NatsSource = { name: 'broken source', obtain: async () => Promise.reject(new Error('no line')) };
    const tooOld = fakeSource('nats-server: v2.11.0');
    const error = await configError(
      acquireNatsServer({ cacheDir: join(dir, 'c'), env: { PATH: dir }, sources: [broken, tooOld] }),
    );
    assert.is(error.code, 'ERR_CONFIG');
    for (const part of [
      '2.9.10, older',
      'cache: empty',
      'broken source: no line',
      'is 2.11.0, older',
      'set NATS_SERVER',
    ]) {
      assert.match(error.message, part);
    }
    assert.equal(await readdir(join(dir, 'c/nats-server')), [], 'nothing of a failed attempt stays');
  });
});

test('the official release is taken only when it hashes to the pinned sum', async () => {
  await withTempDir(async (dir) => {
    const platform = releasePlatform();
    const name = releaseArchive(platform).replace('.tar.gz', '');
    await fakeServer(join(dir, name, 'nats-server'), 'nats-server: v2.14.5');
    const { execFileSync } = await import('node:child_process');
    execFileSync('tar', ['-czf', join(dir, 'archive'), '-C', dir, name]);
    const archive = await readFile(join(dir, 'archive'));
    const server = createServer((request, response) => {
      response.statusCode = request.url?.endsWith(`/${name}.tar.gz`) ? 200 : 404;
      response.end(archive);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const baseUrl = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
    try {
      const acquire = (sha256: string) =>
        acquireNatsServer({
          cacheDir: join(dir, 'c'),
          env: {},
          sources: [releaseSource({ baseUrl, sha256Of: { [platform]: sha256 } })],
        });
      assert.match((await configError(acquire('0'.repeat(64)))).message, /hashes to [0-9a-f]{64}, pinned is 0000/);
      assert.is((await acquire(createHash('sha256').update(archive).digest('hex'))).version, '2.14.5');
    } finally {
      server.close();
    }
  });
});

test('a package that its signed index does not describe is refused', async () => {
  await withTempDir(async (dir) => {
    const path = join(dir, 'a.deb');
    await writeFile(path, 'package');
    const sha256 = createHash('sha256').update('package').digest('hex');
    await checkPackage(path, { version: '2.15.1-1', sizeBytes: 7, sha256 });
    for (const record of [
      { version: '2.15.1-1', sizeBytes: 8, sha256 },
      { version: '2.15.1-1', sizeBytes: 7, sha256: '0'.repeat(64) },
    ]) {
      await checkPackage(path, record).then(
        () => assert.unreachable('it was accepted'),
        (thrown: Error) => assert.match(thrown.message, 'its index says'),
      );
    }
  });
});

test('an archive that Debian did not sign is refused', async () => {
  await withTempDir(async (dir) => {
    const archive = join(dir, 'debian/dists/forky/main/binary-amd64');
    await mkdir(archive, { recursive: true });
    await writeFile(join(archive, 'Packages'), 'Package: nats-server\n');
    await writeFile(join(dir, 'debian/dists/forky/Release'), 'Suite: forky\nCodename: forky\nComponents: main\n');
    await writeFile(join(dir, 'sources.list'), `deb file:${dir}/debian bookworm main\n`);
    const error = await configError(
      acquireNatsServer({ cacheDir: join(dir, 'c'), env: {}, sources: [debianSource(dir)] }),
    );
    // On a machine without apt or without Debian's keyring the source says that instead.
    assert.match(error.message, /Debian package: .*(is not signed|not installed|keyring|no package is taken)/);
  });
});

test.run();
