import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { findServer } from '../harness/servers/index.ts';
import { suite } from '../harness/suite.ts';
import { withTempDir } from './fixture.ts';

const test = suite('harness detects servers');

test('a program of the right name that is something else is not taken for the server', async () => {
  await withTempDir(async (dir) => {
    const before = process.env.PATH;
    process.env.PATH = dir;
    try {
      assert.equal(await findServer('jq'), { ok: false, reason: 'jq is not installed' });
      await writeFile(join(dir, 'jq'), '#!/bin/sh\necho usage\n');
      await chmod(join(dir, 'jq'), 0o755);
      assert.equal(await findServer('jq'), {
        ok: false,
        reason: `${join(dir, 'jq')} does not answer --version as jq does`,
      });
      await writeFile(join(dir, 'jq'), '#!/bin/sh\necho jq-1.7.1\n');
      assert.equal(await findServer('jq'), { ok: true, path: join(dir, 'jq') });
    } finally {
      process.env.PATH = before;
    }
  });
});

test.run();
