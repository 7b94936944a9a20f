/** An image that is another one when an execution starts than it was when its plan was admitted. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { answerPins } from '../../services/dispatcher/answer-pins.ts';
import { imageIdentity } from '../../shared/runtime/image-identity.ts';
import { probePlan } from '../harness/probe-plan.ts';
import { type RegistryFolder, writeRegistry } from '../harness/registry-folder.ts';
import { available } from '../harness/servers/index.ts';
import { ServiceProcess } from '../harness/service-process.ts';
import { heard, startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';
import { bootActor } from './local-images.ts';
import { type LocalUnderTest, localUnderTest } from './local-under-test.ts';

const POLICY = fileURLToPath(new URL('../fixtures/registry/policies/default.yaml', import.meta.url));
const MOVING = { repo: 'isomorph.test/moving', tag: '1' };
const nameOf = ({ repo, tag }: typeof MOVING): string => `${repo}:${tag}`;

const found = await available('docker');
const test = suite('an image that moves');
test.skipUnless(found.ok, found.ok ? '' : found.reason);

const base = { adapters: ['local' as const], outputs: [] };
const still = bootActor({ ...base, ref: 'test/still@1' });
const moving = bootActor({ ...base, ref: 'test/moving@1', image: nameOf(MOVING) });
const absent = bootActor({ ...base, ref: 'test/absent@1', image: 'isomorph.test/absent:1' });

let local: LocalUnderTest;
let registry: RegistryFolder;
let its: TestStack;
let dispatcher: ServiceProcess | undefined;

test.before(async () => {
  local = await localUnderTest({ parked: 0 });
  await local.engine.getImage(still.image).tag(MOVING);
  const policy = (await readFile(POLICY, 'utf8')).replace('[mock]', '[local]');
  // JSON is YAML.
  const files = [still, moving, absent].map((one, index) => [`${index}`, JSON.stringify(one)] as const);
  registry = await writeRegistry(Object.fromEntries(files), { default: policy });
  const env = { ISOMORPH_ADAPTERS: 'local' };
  its = await startTestStack({
    registry: registry.folder,
    env,
    services: ['admission', 'settler', 'sampler', 'projector'],
  });
});
test.after(async () => {
  await dispatcher?.stop();
  await its?.stop();
  await local?.engine.getImage(moving.image).remove();
  await local?.stop();
  await registry?.remove();
});

const admitted = (ref: string, planId: string): Promise<string> => {
  const plan = probePlan(planId, { processor: ref }, { adapter: 'local' });
  return heard(its.client, `ledger.${planId}.plan.*`, () => its.submit(plan));
};

/** How the one execution of a plan ended, with every field that some end has. */
async function endOf(planId: string) {
  const [execution] = [...(await its.ended(planId)).executions.values()];
  if (execution?.end === undefined) throw new Error(`${planId} has not run`);
  return { code: '', message: '', environment: undefined, ...execution.end };
}

test('what was admitted is what runs, or nothing', async () => {
  const answers = answerPins(its.core, local.runtime, (error) => assert.unreachable(String(error)));
  await admitted(still.ref, 'still');
  await admitted(moving.ref, 'moved');
  await admitted(absent.ref, 'absent');
  answers.unsubscribe();
  await admitted(moving.ref, 'unanswered');
  const was = await local.engine.getImage(moving.image).inspect();
  await local.engine.getImage('isomorph/base-node:offline').tag(MOVING);
  dispatcher = new ServiceProcess('dispatcher', { ...its.stack.serviceEnv, DOCKER_HOST: local.docker.dockerHost });

  const ran = await endOf('still');
  assert.is(ran.status, 'succeeded', `${JSON.stringify(ran)} ${dispatcher.output}`);
  assert.is(ran.environment?.image, `${still.image}@${imageIdentity(was)}`);
  assert.is(ran.environment?.image_digest, imageIdentity(was));

  const drifted = await endOf('moved');
  assert.is(drifted.code, 'ERR_IMAGE_DRIFT', JSON.stringify(drifted));
  assert.match(drifted.message, new RegExp(`not ${imageIdentity(was)}`));

  // Nothing to compare with: the engine had none, or no dispatcher was there to be asked.
  assert.is((await endOf('absent')).code, 'ERR_START');
  assert.is((await endOf('unanswered')).code, 'ERR_EXIT');
});

test.run();
