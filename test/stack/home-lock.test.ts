import { readdir } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { lockHome } from '../../stack/home-lock.ts';
import { suite } from '../harness/suite.ts';
import { startParent, withTempDir } from './fixture.ts';

const test = suite('stack home lock');

test('a folder in use is refused with the pid of its holder, and free again after the release', async () => {
  await withTempDir(async (dir) => {
    const lock = await lockHome(dir);
    const error: unknown = await lockHome(dir).catch((thrown: unknown) => thrown);
    assert.instance(error, IsomorphError);
    assert.is((error as IsomorphError).code, 'ERR_CONFIG');
    assert.match((error as IsomorphError).message, `process ${process.pid}`);
    await lock.release();
    const again = await lockHome(dir);
    await lock.release();
    assert.instance(
      await lockHome(dir).catch((thrown: unknown) => thrown),
      IsomorphError,
      'a second release frees nothing',
    );
    await again.release();
  });
});

test('the lock of another living process holds, that of a killed one does not', async () => {
  await withTempDir(async (dir) => {
    const parent = await startParent('lock', dir);
    const error: unknown = await lockHome(dir).catch((thrown: unknown) => thrown);
    assert.match((error as IsomorphError).message, `process ${parent.serverPid}`);
    await parent.kill();
    await (await lockHome(dir)).release();
  });
});

test('of many that find a dead holder one wins', async () => {
  await withTempDir(async (dir) => {
    const parent = await startParent('lock', dir);
    await parent.kill();
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => lockHome(dir)));
    assert.is(results.filter(({ status }) => status === 'fulfilled').length, 1);
    assert.is((await readdir(dir)).length, 1, 'and nothing else is left in the folder');
  });
});

test.run();
