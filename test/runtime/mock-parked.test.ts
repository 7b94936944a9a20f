import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import * as assert from 'uvu/assert';
import { executionId } from '../../shared/ids/ids.ts';
import type { Processor } from '../../shared/plan/registry.ts';
import type { Job } from '../../shared/runtime/contract.ts';
import { MockRuntime } from '../../shared/runtime/drivers/mock/mock.ts';
import type { Assignment } from '../../shared/runtime/runtime.ts';
import { suite } from '../harness/suite.ts';
import { processor } from '../plan/admitted-plan.ts';
import { runtimeConformance } from './conformance.ts';
import { type MockUnderTest, mockElsewhere, mockUnderTest } from './mock-under-test.ts';
import { startElsewhere } from './start-elsewhere.ts';

runtimeConformance('mock, parked ahead', () => mockUnderTest({ parked: true }));

let count = 0;

function assignmentOf(its: Processor, params: Job['params'] = {}, secrets: Assignment['secrets'] = {}): Assignment {
  count += 1;
  const id = executionId('plan', `s${count}`, 1);
  const deadlineMs = Date.now() + 60_000;
  const job: Job = {
    ...{ v: 1, plan_id: 'plan', step_id: `s${count}`, execution_id: id, attempt: 1, processor: its.ref },
    ...{ params, inputs: {}, outputs: {}, deadline: new Date(deadlineMs).toISOString() },
  };
  return { executionId: id, processor: its, job, secrets, deadlineMs };
}

/** What a processor wrote, once it has ended. */
async function textOf({ runtime }: MockUnderTest, one: Assignment): Promise<string> {
  const { log, outcome } = await (await runtime.run(one)).wait();
  assert.equal(outcome, { kind: 'exited', exitCode: 0 }, Buffer.from(log).toString());
  return Buffer.from(log).toString('utf8');
}

/** Processes that stand where parked ones stand: their shells, and they themselves. */
async function parkedIn(stateDir: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = pids.map(async (pid) => {
    const place = await readlink(`/proc/${pid}/cwd`).catch(() => '');
    return place.startsWith(path.join(stateDir, 'parked')) ? [Number(pid)] : [];
  });
  return (await Promise.all(found)).flat();
}

const folders = (stateDir: string): Promise<string[]> => readdir(path.join(stateDir, 'parked'));

/** A processor of one file in a folder of processors of its own. */
async function withProgram(
  name: string,
  text: string,
  use: (its: Processor, file: string, processorsDir: string) => Promise<void>,
): Promise<void> {
  const processorsDir = await mkdtemp(path.join(os.tmpdir(), 'isomorph-processors-'));
  const file = path.join(processorsDir, 'test_program', name);
  await mkdir(path.dirname(file));
  await writeFile(file, text);
  const its = processor({ ref: 'test/program@1', entrypoint: ['node', name, 'an argument'] });
  await use(its, file, processorsDir).finally(() => rm(processorsDir, { recursive: true }));
}

const test = suite('mock: processes started ahead');
test.skipUnless(process.platform === 'linux', 'only Linux tells whose a process is');

test('a parked process has nothing of the host, and of the runs before it', async () => {
  const its = await mockUnderTest({ parked: true });
  process.env.ISOMORPH_TEST_HOST_SECRET = 'of the host';
  try {
    const secrets = { PROBE_TOKEN: 'a secret of another' };
    await textOf(its, assignmentOf(its.actor, { mode: 'look' }, secrets));
    while ((await parkedIn(its.stateDir)).length < 2) await new Promise((resolve) => setImmediate(resolve));
    for (const pid of await parkedIn(its.stateDir)) {
      const environment = (await readFile(`/proc/${pid}/environ`, 'utf8')).split('\0').filter((one) => one !== '');
      const names = environment.map((one) => one.split('=')[0]).filter((name) => name !== 'PWD');
      assert.equal(names.sort(), ['HOME', 'LANG', 'PATH', 'TMPDIR', 'TZ']);
    }
    const env = JSON.parse(/^env (.*)$/m.exec(await textOf(its, assignmentOf(its.actor, { mode: 'look' })))?.[1] ?? '');
    assert.is(env.PROBE_TOKEN, undefined);
  } finally {
    delete process.env.ISOMORPH_TEST_HOST_SECRET;
    await its.stop();
  }
});

test('each runs one execution and is gone', () =>
  withProgram('who.mjs', 'console.log(process.pid)', async (program, _, processorsDir) => {
    const its = await mockUnderTest({ parked: true, processorsDir });
    try {
      const pids: number[] = [];
      for (let n = 0; n < 5; n++) pids.push(Number(await textOf(its, assignmentOf(program))));
      assert.is(new Set(pids).size, 5);
      for (const pid of pids) assert.not.ok(await its.isAlive(pid));
    } finally {
      await its.stop();
    }
  }));

test('what runs is the code as it is when the job comes, not as it was when the process was parked', () =>
  withProgram('edited.mjs', "console.log('before')", async (program, file, processorsDir) => {
    const its = await mockUnderTest({ parked: true, processorsDir });
    try {
      assert.is(await textOf(its, assignmentOf(program)), 'before\n');
      while ((await parkedIn(its.stateDir)).length === 0) await new Promise((resolve) => setImmediate(resolve));
      await writeFile(file, "console.log('after')");
      assert.is(await textOf(its, assignmentOf(program)), 'after\n');
    } finally {
      await its.stop();
    }
  }));

const ABOUT = `
const { argv, argv0, execArgv } = process;
const stdin = require('node:fs').readFileSync(0, 'utf8').length > 0;
console.log(JSON.stringify({ main: require.main === module, argv, argv0, execArgv, stdin, cwd: process.cwd() === process.env.HOME }));
`;

test('a program cannot tell that Node was there before it', () =>
  withProgram('about.cjs', ABOUT, async (program, file, processorsDir) => {
    const told: unknown[] = [];
    for (const parked of [false, true]) {
      const its = await mockUnderTest({ parked, processorsDir });
      told.push(JSON.parse(await textOf(its, assignmentOf(program))));
      await its.stop();
    }
    const [cold, ahead] = told;
    assert.equal(ahead, cold);
    const argv = [process.execPath, file, 'an argument'];
    assert.equal(cold, {
      main: true,
      argv,
      argv0: process.execPath,
      execArgv: [],
      stdin: true,
      cwd: true,
    });
  }));

test('a secret that Node reads as it starts is read', () =>
  withProgram('titled.mjs', 'console.log(process.title)', async (program, _, processorsDir) => {
    const its = await mockUnderTest({ parked: true, processorsDir });
    try {
      assert.is(await textOf(its, assignmentOf(program, {}, { NODE_OPTIONS: '--title=granted' })), 'granted\n');
    } finally {
      await its.stop();
    }
  }));

test('few are parked however much is run, and none once the runtime is closed', async () => {
  const its = await mockUnderTest({ parked: true });
  await Promise.all(Array.from({ length: 8 }, () => textOf(its, assignmentOf(its.actor))));
  await its.runtime.close();
  assert.equal(await folders(its.stateDir), []);
  // Killed is not gone: the test's own timeout bounds this.
  while ((await parkedIn(its.stateDir)).length > 0) await new Promise((resolve) => setImmediate(resolve));
  await its.stop();
});

test('what a killed process had parked ends by itself, and the next one removes its folders', async () => {
  const its = await mockUnderTest({ parked: false });
  const one = assignmentOf(its.actor, { mode: 'hang' });
  const starter = startElsewhere(mockElsewhere(its.stateDir, { parked: true }), one);
  await once(starter.stdout, 'data');
  assert.ok((await parkedIn(its.stateDir)).length > 0);
  starter.kill('SIGKILL');
  await once(starter, 'exit');
  // Nobody is told of their end: the test's own timeout bounds this.
  while ((await parkedIn(its.stateDir)).length > 0) await new Promise((resolve) => setImmediate(resolve));
  const run = await its.runtime.find(one);
  await its.runtime.kill(one.executionId);
  assert.equal((await run?.wait())?.outcome, { kind: 'killed' }, 'the run went on');
  assert.ok((await folders(its.stateDir)).length > 0);
  const next = await new MockRuntime({ processorsDir: '', stateDir: its.stateDir, parked: 0 }).open();
  assert.equal(await folders(its.stateDir), []);
  await next.close();
  await its.stop();
});

test.run();
