import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { openRuntime } from '../../shared/runtime/open.ts';
import { isAlive } from '../../stack/process.ts';
import { modalUnderTest, withGpu } from '../harness/modal/runtime.ts';
import { OWN_VARIABLES } from '../harness/modal/sandboxes.ts';
import { type RuntimeUnderTest, runtimeConformance } from './conformance.ts';

const START_MAIN = fileURLToPath(new URL('./start-main.ts', import.meta.url));

const modal = (gpu: boolean) => async (): Promise<RuntimeUnderTest> => {
  const its = await modalUnderTest();
  const actor = gpu ? withGpu(its.actor) : its.actor;
  const runtime = await openRuntime('modal', { processorsDir: '/nonexistent', stateDir: '/nonexistent' });
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
      await its.stop();
    },
  };
};

runtimeConformance('modal', modal(false));
runtimeConformance('modal, GPU', modal(true));
