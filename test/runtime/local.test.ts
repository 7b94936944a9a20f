import type { Processor } from '../../shared/plan/registry.ts';
import { available } from '../harness/servers/index.ts';
import { suite } from '../harness/suite.ts';
import { type RuntimeUnderTest, runtimeConformance } from './conformance.ts';
import { bootActor, plainActor } from './local-images.ts';
import { localUnderTest } from './local-under-test.ts';
import { startAndDie } from './start-elsewhere.ts';

async function local(actor: Processor): Promise<RuntimeUnderTest> {
  const { docker, runtime, engine, stateDir, left, stop } = await localUnderTest();
  return {
    runtime,
    actor,
    missing: plainActor({ ref: 'test/nobody@1', image: 'isomorph.test/nobody:1' }),
    // Engines name the container in it.
    ownVariables: ['HOSTNAME'],
    workingFolder: 'image',
    keptLogBytes: 256 * 1024,
    runFromKilledProcess: (assignment) =>
      startAndDie(
        { adapter: 'local', processorsDir: '', stateDir, env: { DOCKER_HOST: docker.dockerHost } },
        assignment,
      ),
    // Its pid is one of the container's own namespace, which ends with the container.
    async isAlive() {
      const assigned = (await left()).containers.filter((name) => !name.startsWith('iso-parked-'));
      for (const name of assigned) {
        if ((await engine.getContainer(name).inspect()).State.Running) return true;
      }
      return false;
    },
    stop,
  };
}

const found = await available('docker');
if (found.ok) {
  runtimeConformance('local, with the boot module', () => local(bootActor()));
  runtimeConformance('local, without the boot module', () => local(plainActor()));
} else {
  const test = suite('runtime local');
  test.skipUnless(false, found.reason);
  test.run();
}
