import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import Docker from 'dockerode';
import type { Processor } from '../../shared/plan/registry.ts';
import { openLocalRuntime } from '../../shared/runtime/drivers/local/local.ts';
import { startDocker } from '../harness/servers/docker.ts';
import { available } from '../harness/servers/index.ts';
import { suite } from '../harness/suite.ts';
import { type RuntimeUnderTest, runtimeConformance } from './conformance.ts';
import { bootActor, loadActors, plainActor } from './local-images.ts';

const START_MAIN = fileURLToPath(new URL('./start-main.ts', import.meta.url));

async function local(actor: Processor): Promise<RuntimeUnderTest> {
  const docker = await startDocker();
  await loadActors(docker.dockerHost);
  const stateDir = await mkdtemp(path.join(os.tmpdir(), 'isomorph-local-'));
  const instance = createHash('sha256').update(stateDir).digest('hex').slice(0, 8);
  const runtime = await openLocalRuntime({ stateDir, dockerHost: docker.dockerHost });
  const engine = new Docker({ socketPath: docker.socketPath });
  const ours = { label: [`dev.isomorph.instance=${instance}`] };
  return {
    runtime,
    actor,
    missing: plainActor({ ref: 'test/nobody@1', image: 'isomorph.test/nobody:1' }),
    ownVariables: ['HOSTNAME'],
    workingFolder: 'image',
    keptLogBytes: 256 * 1024,
    async runFromKilledProcess(assignment) {
      const args = ['--import', import.meta.resolve('tsx'), START_MAIN, 'local', '', stateDir];
      const starter = spawn(process.execPath, [...args, JSON.stringify(assignment)], {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, DOCKER_HOST: docker.dockerHost },
      });
      await once(starter.stdout, 'data');
      starter.kill('SIGKILL');
      await once(starter, 'exit');
    },
    // Its pid is one of the container's own namespace, which ends with the container.
    async isAlive() {
      const running = await engine.listContainers({ filters: { ...ours, status: ['running'] } });
      return running.length > 0;
    },
    async stop() {
      await runtime.close();
      const left = await engine.listContainers({ all: true, filters: ours });
      await Promise.all(left.map(({ Id }) => engine.getContainer(Id).remove({ force: true, v: true })));
      await docker.stop();
      await rm(stateDir, { recursive: true, force: true });
    },
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
