import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import * as assert from 'uvu/assert';
import { startIn } from '../../shared/runtime/drivers/mock/launch.ts';
import { kernelStartTime, RunFolder } from '../../shared/runtime/drivers/mock/run-folder.ts';
import { suite } from '../harness/suite.ts';

const test = suite('mock run folder');
test.skipUnless(process.platform === 'linux', 'only Linux tells when a process started');

test('a process is known by its start, and no longer once it has ended, collected or not', async () => {
  assert.match(await kernelStartTime(process.pid), /^\d+$/);
  // The shell becomes a program that never collects its child.
  const parent = spawn('/bin/sh', ['-c', 'sleep 0 & echo $!; exec sleep 600'], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    while (!/^\d+ \(.*\) Z /.test(await readFile(`/proc/${pid}/stat`, 'utf8'))) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    process.kill(pid, 0);
    assert.is(await kernelStartTime(pid), '');
  } finally {
    parent.kill('SIGKILL');
    await once(parent, 'exit');
  }
  assert.is(await kernelStartTime(parent.pid ?? 0), '');
});

test('a folder may get its name before the shell in it has come to its work', async () => {
  const stateDir = await mkdtemp(path.join(os.tmpdir(), 'isomorph-run-folder-'));
  try {
    // The shell is faster now and then.
    for (let number = 0; number < 50; number++) {
      const prepared = await RunFolder.prepare(path.join(stateDir, 'parked'), `${number}`);
      const child = await startIn(prepared, ['/bin/pwd'], {});
      const run = await prepared.become(path.join(stateDir, 'runs'), `${number}`, '{}');
      if (child.exitCode === null) await once(child, 'exit');
      assert.is((await run?.exitCode())?.code, 0);
    }
  } finally {
    await rm(stateDir, { recursive: true });
  }
});

test.run();
