import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { executionId } from '../../shared/ids/ids.ts';
import type { Job } from '../../shared/runtime/contract.ts';
import { endLeftBehind, pidsSince } from '../../shared/runtime/drivers/mock/left-behind.ts';
import { RunFolder } from '../../shared/runtime/drivers/mock/run-folder.ts';
import { openRuntime } from '../../shared/runtime/open.ts';
import type { Assignment } from '../../shared/runtime/runtime.ts';
import { isAlive } from '../../stack/process.ts';
import { suite } from '../harness/suite.ts';
import { processor } from '../plan/admitted-plan.ts';
import { runtimeConformance } from './conformance.ts';
import { mockUnderTest } from './mock-under-test.ts';

const PROCESSORS = fileURLToPath(new URL('./processors', import.meta.url));

const mock = () => mockUnderTest({ parked: false });

runtimeConformance('mock', mock);

const test = suite('mock: what a run left');
test.skipUnless(process.platform === 'linux', 'only Linux tells who belongs to a run');

test('daemons in sessions of their own end with their run', async () => {
  const { runtime, actor, stop } = await mock();
  const id = executionId('plan', 'daemons', 1);
  const [deadlineMs, secrets, params] = [Date.now() + 60_000, {}, { mode: 'daemons' }];
  const job: Job = {
    ...{ v: 1, plan_id: 'plan', step_id: 'daemons', execution_id: id, attempt: 1, processor: actor.ref },
    ...{ params, inputs: {}, outputs: {}, deadline: new Date(deadlineMs).toISOString() },
  };
  const handle = await runtime.run({ executionId: id, processor: actor, job, secrets, deadlineMs });
  try {
    const text = Buffer.from((await handle.wait()).log).toString('utf8');
    const pids = [...text.matchAll(/^daemon (\d+)$/gm)].map(([, pid]) => Number(pid));
    assert.is(pids.length, 2, text);
    // A signal is sent, not awaited: the test's own timeout bounds this.
    for (const pid of pids) while (await isAlive(pid)) await new Promise((resolve) => setImmediate(resolve));
  } finally {
    await stop();
  }
});

for (const parked of [false, true]) {
  test(`a run that is forgotten ends: its end is in the ledger${parked ? ' (parked ahead)' : ''}`, async () => {
    const { runtime, actor, stateDir, stop } = await mockUnderTest({ parked });
    const id = executionId('plan', 'forgotten', 1);
    const [deadlineMs, secrets] = [Date.now() + 60_000, {}];
    const job = { params: { mode: 'hang' }, inputs: {}, outputs: {} } as unknown as Job;
    const assignment = { executionId: id, processor: actor, job, secrets, deadlineMs };
    try {
      await new Promise<void>((resolve, reject) => {
        runtime.run(assignment, () => resolve()).catch(reject);
      });
      const { pid = 0 } = (await new RunFolder(path.join(stateDir, 'runs'), id).process()) ?? {};
      assert.ok(await isAlive(pid));
      await runtime.forget(id);
      assert.is(await runtime.find(assignment), undefined);
      // A signal is sent, not awaited: the test's own timeout bounds this.
      while (await isAlive(pid)) await new Promise((resolve) => setImmediate(resolve));
    } finally {
      await stop();
    }
  });
}

test('somebody who stands in the folder of a run and has a home of their own is none of it', async () => {
  const root = await mkdtemp(path.join(os.tmpdir(), 'isomorph-mock-'));
  const looker = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { cwd: root, stdio: 'ignore' });
  await once(looker, 'spawn');
  await endLeftBehind({ firstPid: process.pid, startMs: 0, root, work: path.join(root, 'work') });
  assert.ok(await isAlive(looker.pid ?? 0));
  const ended = once(looker, 'exit');
  looker.kill();
  await ended;
  await rm(root, { recursive: true });
});

test('pids that were given out since a run began are known when they are counted anew from the start too', () => {
  assert.equal(pidsSince([1, 5, 9], 5, 9), [5, 9]);
  assert.equal(pidsSince([1, 5, 9], 9, 1), [1, 9]);
});

test('what a run told is heard even if it ended before anybody followed it', async () => {
  const stateDir = await mkdtemp(path.join(os.tmpdir(), 'isomorph-mock-'));
  const runtime = await openRuntime('mock', { processorsDir: PROCESSORS, stateDir });
  const its = processor({
    ref: 'test/actor@1',
    entrypoint: ['sh', '-c', `echo '{"isomorph":"progress","fraction":0.5}'`],
  });
  const id = executionId('short', 's', 1);
  const deadlineMs = Date.now() + 60_000;
  const one: Assignment = { executionId: id, processor: its, job: {} as Job, secrets: {}, deadlineMs };
  await (await runtime.run(one)).wait();
  const heard: unknown[] = [];
  const found = await runtime.find(one, (report) => void heard.push(report));
  assert.equal((await found?.wait())?.outcome, { kind: 'exited', exitCode: 0 });
  assert.equal(heard, [{ isomorph: 'progress', fraction: 0.5 }]);
  await runtime.close();
  await rm(stateDir, { recursive: true, force: true });
});

test('a flood of progress costs its own run alone, and hides no error', async () => {
  const stateDir = await mkdtemp(path.join(os.tmpdir(), 'isomorph-mock-'));
  const runtime = await openRuntime('mock', { processorsDir: PROCESSORS, stateDir });
  const line = '{"isomorph":"progress","fraction":0.5}';
  const last = '{"isomorph":"error","code":"ERR_EXIT","message":"the last word"}';
  const flood = processor({
    ref: 'test/actor@1',
    entrypoint: ['sh', '-c', `yes '${line}' | head -n 300000; echo '${last}'; exit 3`],
  });
  const quiet = processor({ ref: 'test/actor@1', entrypoint: ['sh', '-c', `echo '${line}'`] });
  const assignment = (its: typeof flood, id: string): Assignment => ({
    executionId: id,
    processor: its,
    job: {} as Job,
    secrets: {},
    deadlineMs: Date.now() + 60_000,
  });
  const heard = { flood: 0, quiet: 0 };
  const [flooded, beside] = await Promise.all([
    runtime.run(assignment(flood, executionId('flood', 's', 1)), () => void heard.flood++),
    runtime.run(assignment(quiet, executionId('quiet', 's', 1)), () => void heard.quiet++),
  ]);
  assert.equal((await beside.wait()).outcome, { kind: 'exited', exitCode: 0 });
  assert.is(heard.quiet, 1);
  const { outcome, error, log } = await flooded.wait();
  assert.equal([outcome, error?.message], [{ kind: 'exited', exitCode: 3 }, 'the last word']);
  assert.ok(heard.flood < 10_000, `${heard.flood} of 300,000 were heard`);
  assert.ok(log.byteLength <= 256 * 1024);
  await runtime.close();
  await rm(stateDir, { recursive: true, force: true });
});

test.run();
