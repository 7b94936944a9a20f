import { setTimeout as delay } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { imageIdentity } from '../../shared/runtime/image-identity.ts';
import type { Assignment, RunResult } from '../../shared/runtime/runtime.ts';
import { available } from '../harness/servers/index.ts';
import { suite } from '../harness/suite.ts';
import { bootActor, plainActor } from './local-images.ts';
import { assignmentOf, type LocalUnderTest, localUnderTest, said, textOf } from './local-under-test.ts';

const test = suite('runtime local, parked containers and images');
const found = await available('docker');
test.skipUnless(found.ok, found.ok ? '' : found.reason);

let its: LocalUnderTest;
test.before(async () => {
  its = await localUnderTest({ parked: 2, parkedIdleMs: 3_600_000 });
});
test.after(() => its.stop());

async function run(one: Assignment): Promise<RunResult> {
  return (await its.runtime.run(one)).wait();
}

const isParked = (name: string): boolean => name.startsWith('iso-parked-');

/** Ids of parked containers, once there are so many; the test's own timeout bounds it. */
async function whenParked(count: number): Promise<string[]> {
  for (;;) {
    const names = (await its.left()).containers.filter(isParked);
    // One that was listed may have been replaced meanwhile.
    const looks = names.map((name) =>
      its.engine
        .getContainer(name)
        .inspect()
        .catch(() => undefined),
    );
    const running = (await Promise.all(looks)).flatMap((view) => (view?.State.Running === true ? [view.Id] : []));
    if (names.length === count && running.length === count) {
      // The engine knows of a container before its runtime has it from the engine, and may assign it.
      await its.runtime.tend();
      return running;
    }
    await delay(20);
  }
}

const idOf = async (executionId: string): Promise<string> => {
  const name = (await its.left()).containers.find((one) => one.startsWith(`iso-${executionId}-`)) ?? '';
  return (await its.engine.getContainer(name).inspect()).Id;
};

test('what was asked for is parked ahead, assigned once, and gone afterwards', async () => {
  const tokens = new Set<string>();
  const ids = new Set<string>();
  await its.runtime.forget((await runAndTell(assignmentOf(bootActor()))).executionId);
  for (let round = 0; round < 3; round++) {
    const parked = await whenParked(Math.min(2, round + 1));
    const secrets = { PROBE_TOKEN: `secret ${round}` };
    const one = assignmentOf(bootActor(), { mode: 'look', round }, { secrets });
    const { result } = await runAndTell(one);
    const id = await idOf(one.executionId);
    assert.ok(parked.includes(id), 'it was parked before it was asked for');
    assert.not(ids.has(id));
    ids.add(id);
    tokens.add(/^token .*$/m.exec(textOf(result))?.[0] ?? '');
    assert.equal(said<unknown>(result, 'job'), one.job);
    const env = said<Record<string, string>>(result, 'env');
    assert.is(env.PROBE_TOKEN, secrets.PROBE_TOKEN);
    assert.equal(said<{ temp: string[] }>(result, 'folders').temp, []);
    assert.not.match(JSON.stringify(await its.engine.getContainer(id).inspect()), /secret \d/);
    await its.runtime.forget(one.executionId);
  }
  assert.is(tokens.size, 3);
});

/** Runs it and checks that another look at it tells the same. */
async function runAndTell(one: Assignment): Promise<{ readonly executionId: string; readonly result: RunResult }> {
  const result = await run(one);
  assert.equal(result.outcome, { kind: 'exited', exitCode: 0 }, textOf(result));
  const elsewhere = await its.another({ parked: 0 });
  const again = await (await elsewhere.find(one))?.wait();
  await elsewhere.close();
  assert.equal(again, result);
  return { executionId: one.executionId, result };
}

test('a parked run times out, is killed and fails as any other', async () => {
  const outcomes: unknown[] = [];
  for (const params of [
    { mode: 'stubborn' },
    { mode: 'eat memory' },
    { exit_code: 9 },
    { mode: 'signal', signal: 'SIGSEGV' },
  ]) {
    await whenParked(2);
    const deadlineMs = Date.now() + (params.mode === 'stubborn' ? 2_000 : 60_000);
    const one = assignmentOf(bootActor(), params, { deadlineMs });
    outcomes.push((await run(one)).outcome);
    await its.runtime.forget(one.executionId);
  }
  await whenParked(2);
  const killed = assignmentOf(bootActor(), { mode: 'hang' });
  let begun: () => void = () => undefined;
  const whenBegun = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const handle = await its.runtime.run(killed, () => begun());
  await whenBegun;
  await its.runtime.kill(killed.executionId);
  outcomes.push((await handle.wait()).outcome);
  await its.runtime.forget(killed.executionId);
  assert.equal(outcomes, [
    { kind: 'timed_out' },
    { kind: 'out_of_memory' },
    { kind: 'exited', exitCode: 9 },
    { kind: 'signalled', signal: 'SIGSEGV' },
    { kind: 'killed' },
  ]);
});

test('an image without the boot module is never parked', async () => {
  const before = (await whenParked(2)).sort();
  const one = assignmentOf(plainActor());
  await run(one);
  await its.runtime.forget(one.executionId);
  assert.equal((await whenParked(2)).sort(), before);
});

const MOVING = { repo: 'isomorph.test/moving', tag: `${process.pid}` };
const move = (image: string) => its.engine.getImage(image).tag(MOVING);

test('an image that moved is run as it is now, not as it was parked; a pinned one is not run at all', async () => {
  const image = `${MOVING.repo}:${MOVING.tag}`;
  const [old, next] = [
    await its.engine.getImage(bootActor().image).inspect(),
    await its.engine.getImage(plainActor().image).inspect(),
  ];
  await move(bootActor().image);
  const moving = { ref: 'test/moving@1', image, entrypoint: ['node', '/app/processor.mjs'] };
  const pinned = bootActor({ ...moving, image: `${image}@${imageIdentity(old)}` });
  for (const processor of [bootActor(moving), pinned]) {
    const one = assignmentOf(processor);
    assert.equal((await run(one)).outcome, { kind: 'exited', exitCode: 0 });
    const { image_digest } = await its.runtime.environment(processor, []);
    assert.is(image_digest, imageIdentity(old));
    assert.is((await its.engine.getContainer(await idOf(one.executionId)).inspect()).Image, old.Id);
    await its.runtime.forget(one.executionId);
  }
  await move(plainActor().image);
  const one = assignmentOf(bootActor(moving));
  assert.equal((await run(one)).outcome, { kind: 'exited', exitCode: 0 });
  assert.is((await its.engine.getContainer(await idOf(one.executionId)).inspect()).Image, next.Id);
  assert.is((await its.runtime.environment(bootActor(moving), [])).image_digest, imageIdentity(next));
  await its.runtime.forget(one.executionId);
  const refused = await run(assignmentOf(pinned));
  assert.is(refused.outcome.kind, 'not_started');
  assert.is(refused.error?.code, 'ERR_IMAGE_DRIFT');
  assert.match(refused.error?.message ?? '', imageIdentity(old));
  await its.engine.getImage(image).remove();
});

test('what is parked goes when its runtime closes', async () => {
  await its.runtime.close();
  assert.equal(await its.left(), { containers: [], networks: [], volumes: 0 });
});

test.run();
