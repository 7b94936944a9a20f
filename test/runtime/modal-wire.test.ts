/** What the modal runtime does when answers are lost, dispatchers die between two calls, or Modal ends a sandbox by itself. */
import { ModalClient } from 'modal';
import * as assert from 'uvu/assert';
import { ModalControl } from '../../shared/runtime/drivers/modal/control.ts';
import { placeOf } from '../../shared/runtime/drivers/modal/place.ts';
import type { Assignment, RunHandle, RunResult, RuntimeAdapter } from '../../shared/runtime/runtime.ts';
import type { Fault } from '../harness/modal/faults.ts';
import { GENERIC, type GenericResult } from '../harness/modal/rpc.ts';
import { type ModalUnderTest, modalUnderTest, withGpu } from '../harness/modal/runtime.ts';
import { suite } from '../harness/suite.ts';

const test = suite('modal runtime on the wire');
let its: ModalUnderTest;

test.before(async () => {
  its = await modalUnderTest();
});
test.after.each(() => its.plane.faults.clear());
test.after(() => its.stop());

const IMPATIENT = { lostAfterMs: 100 };
const FAULTS: readonly Fault[] = [
  { when: 'before', kind: 'unavailable' },
  { when: 'after', kind: 'unavailable' },
  { when: 'before', kind: 'disconnect' },
  { when: 'after', kind: 'disconnect' },
];
const named = ({ when, kind }: Fault): string => `${kind} ${when} its effect`;

const run = async (one: Assignment): Promise<RunResult> => (await its.runtime.run(one)).wait();
const textOf = ({ log }: RunResult): string => Buffer.from(log).toString('utf8');

/** Resolves when the processor has told that it has begun. */
async function begun(one: Assignment, runtime: RuntimeAdapter = its.runtime): Promise<RunHandle> {
  let tell: () => void = () => undefined;
  const reported = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const handle = await runtime.run(one, () => tell());
  const early = await Promise.race([reported, handle.wait()]);
  if (early !== undefined) throw new Error(`it ended before it began: ${JSON.stringify(early.outcome)}`);
  return handle;
}

/** Ended, with one job run once in one sandbox. */
function ranOnce(one: Assignment, result: RunResult): void {
  assert.equal(result.outcome, { kind: 'exited', exitCode: 0 });
  assert.is(textOf(result).match(/^token /gm)?.length, 1);
  assert.is(its.sandboxesOf(one).length, 1);
}

for (const [method, isGpu] of [
  ['SandboxCreateV2', false],
  ['SandboxCreate', true],
] as const) {
  for (const fault of FAULTS) {
    test(`${method}, ${named(fault)}: one sandbox`, async () => {
      const one = its.assignment({}, isGpu ? { processor: withGpu(its.actor) } : {});
      its.plane.faults.next(method, fault);
      ranOnce(one, await run(one));
    });
  }
}

for (const method of [
  'SandboxStdinWriteV2',
  'SandboxTagsSetV2',
  'SandboxWaitV2',
  'SandboxStdioReadV2',
  'SandboxTagsGetV2',
]) {
  for (const fault of FAULTS) {
    test(`${method}, ${named(fault)}: the job is given once`, async () => {
      const one = its.assignment();
      its.plane.faults.next(method, fault);
      ranOnce(one, await run(one));
    });
  }
}

test('a sandbox that could not be asked for is lost, and nothing of it runs', async () => {
  const one = its.assignment();
  const impatient = await its.another(IMPATIENT);
  its.plane.faults.atRandom({ methods: ['SandboxCreateV2'], rate: 1, seed: 1, moments: ['before'] });
  assert.is((await (await impatient.run(one)).wait()).outcome.kind, 'lost');
  assert.equal(its.sandboxesOf(one), []);
});

test('many executions while one call in ten fails: one sandbox each', async () => {
  its.plane.faults.atRandom({ rate: 0.1, seed: 11, kinds: ['unavailable'] });
  const all = Array.from({ length: 12 }, () => its.assignment());
  const results = await Promise.all(all.map(run));
  for (const [index, one] of all.entries()) ranOnce(one, results[index] as RunResult);
});

test('two dispatchers that run one execution at once share a sandbox', async () => {
  const one = its.assignment();
  const other = await its.another();
  const handles = await Promise.all([its.runtime.run(one), other.run(one)]);
  for (const handle of handles) ranOnce(one, await handle.wait());
});

test('a sandbox whose dispatcher died before the job was given is ended, and its execution lost', async () => {
  const one = its.assignment();
  const control = new ModalControl(
    new ModalClient({ logLevel: 'error' }),
    placeOf('modal:'),
    new AbortController().signal,
  );
  await control.create(one);
  const handle = await its.runtime.find(one);
  assert.is((await handle?.wait())?.outcome.kind, 'lost');
  const [sandbox] = its.sandboxesOf(one);
  assert.is(sandbox?.result?.status, GENERIC.terminated);
  assert.is(sandbox?.stdinBytes, 0);
});

test('the control plane restarts in mid-run: the run goes on, once', async () => {
  const one = its.assignment({ mode: 'hang' });
  const handle = await begun(one);
  await its.plane.stop();
  await its.plane.start();
  await its.runtime.kill(one.executionId);
  assert.equal((await handle.wait()).outcome, { kind: 'killed' });
  assert.is(its.sandboxesOf(one).length, 1);
});

test('a control plane that never answers again is a lost run; what is left of it ends when it is forgotten', async () => {
  const one = its.assignment({ mode: 'hang' });
  const handle = await begun(one, await its.another(IMPATIENT));
  await its.plane.stop();
  assert.is((await handle.wait()).outcome.kind, 'lost');
  await its.plane.start();
  await its.runtime.forget(one.executionId);
  const [sandbox] = its.sandboxesOf(one);
  assert.is((await sandbox?.ended)?.status, GENERIC.terminated);
});

const ENDS: readonly (readonly [why: string, result: GenericResult, kind: string])[] = [
  ['out of memory', { status: GENERIC.memoryEviction, exitcode: 137 }, 'out_of_memory'],
  [
    'out of memory, told in words',
    { status: GENERIC.failure, exitcode: 137, exception: 'OOM killed' },
    'out_of_memory',
  ],
  ['its own time limit', { status: GENERIC.timeout, exitcode: 124 }, 'timed_out'],
  ['a failure to start', { status: GENERIC.initFailure, exception: 'mount failed' }, 'not_started'],
  ['a failure of Modal with exit code 0', { status: GENERIC.internalFailure, exitcode: 0 }, 'lost'],
  ['somebody who stopped it by hand', { status: GENERIC.terminated, exitcode: 137 }, 'killed'],
];
for (const [why, result, kind] of ENDS) {
  test(`ended by ${why}: ${kind}`, async () => {
    const one = its.assignment({ mode: 'hang' });
    const handle = await begun(one);
    its.sandboxesOf(one)[0]?.kill(result);
    assert.is((await handle.wait()).outcome.kind, kind);
    const found = await its.runtime.find(one);
    assert.is((await found?.wait())?.outcome.kind, kind);
  });
}

test('tags that end with their sandbox lose no result, and forgetting goes through', async () => {
  its.plane.world.sandboxes.tagsOutliveIt = false;
  const [one, late] = [its.assignment(), its.assignment({ mode: 'hang' }, { deadlineMs: Date.now() + 500 })];
  ranOnce(one, await run(one));
  const found = await its.runtime.find(one);
  assert.equal((await found?.wait())?.outcome, { kind: 'exited', exitCode: 0 });
  await its.runtime.forget(one.executionId);
  assert.equal((await run(late)).outcome, { kind: 'timed_out' });
  its.plane.world.sandboxes.tagsOutliveIt = true;
});

test('a command that the image has not got is told', async () => {
  const program = '/nonexistent/program';
  const one = its.assignment({}, { processor: { ...its.actor, entrypoint: [program] } });
  const { outcome } = await run(one);
  assert.is(outcome.kind, 'not_started');
  if (outcome.kind === 'not_started') assert.match(outcome.reason, program);
});

test.run();
