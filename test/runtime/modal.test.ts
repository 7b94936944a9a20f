import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { openRuntime } from '../../shared/runtime/open.ts';
import { isAlive } from '../../stack/process.ts';
import { ControlPlane } from '../harness/modal/control-plane.ts';
import { OWN_VARIABLES } from '../harness/modal/sandboxes.ts';
import { pushProcessor } from '../harness/modal/test-images.ts';
import { processor } from '../plan/admitted-plan.ts';
import { type RuntimeUnderTest, runtimeConformance } from './conformance.ts';

const ACTOR_FOLDER = fileURLToPath(new URL('./processors/test_actor', import.meta.url));
const START_MAIN = fileURLToPath(new URL('./start-main.ts', import.meta.url));
const DIGEST = `sha256:${'ab12'.repeat(16)}`;
const NOWHERE = { processorsDir: '/nonexistent', stateDir: '/nonexistent' };

/** V1 sandboxes are what GPUs run in. */
const modal = (gpu: boolean) => async (): Promise<RuntimeUnderTest> => {
  const plane = new ControlPlane();
  await plane.start();
  Object.assign(process.env, plane.environment);
  const made = processor({ ref: 'test/actor@1', image: `isomorph.test/test_actor@${DIGEST}` });
  const resources = gpu ? { gpu: { model: 'L4', count: 1, mem_gb: 24 } } : {};
  const actor = { ...made, runtime: { ...made.runtime, ...resources } };
  await pushProcessor(plane.world, ACTOR_FOLDER, actor);
  const runtime = await openRuntime('modal', NOWHERE);
  return {
    runtime,
    actor,
    missing: { ...actor, ref: 'test/nobody@1', image: 'isomorph.test/test_nobody:1' },
    ownVariables: OWN_VARIABLES,
    workingFolder: 'image',
    keptLogBytes: 256 * 1024,
    async runFromKilledProcess(assignment) {
      const args = ['--import', import.meta.resolve('tsx'), START_MAIN, 'modal', '/nonexistent', '/nonexistent'];
      const starter = spawn(process.execPath, [...args, JSON.stringify(assignment)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(starter.stdout, 'data');
      starter.kill('SIGKILL');
      await once(starter, 'exit');
    },
    isAlive,
    async stop() {
      await runtime.close();
      await plane.close();
    },
  };
};

runtimeConformance('modal', modal(false));
runtimeConformance('modal, GPU', modal(true));
