import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import { kernelStartTime } from '../../shared/runtime/drivers/mock/run-folder.ts';
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

test.run();
