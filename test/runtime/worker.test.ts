import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Assignment } from '../../shared/runtime/runtime.ts';
import { isAlive } from '../../stack/process.ts';
import { processor } from '../plan/admitted-plan.ts';
import { type RuntimeUnderTest, runtimeConformance } from './conformance.ts';
import { firstLine, startWorkerServer } from './worker-under-test.ts';

const START_MAIN = fileURLToPath(new URL('./worker-start-main.ts', import.meta.url));

async function worker(): Promise<RuntimeUnderTest> {
  const its = await startWorkerServer();
  let isStopping = false;
  // As whoever runs workers has them: one that ends is started again.
  let back: Promise<unknown> = Promise.resolve();
  const keepOne = async (): Promise<void> => {
    const { exited } = await its.startWorker();
    void exited.then(() => {
      if (!isStopping) back = keepOne();
    });
  };
  await keepOne();
  return {
    runtime: its.runtime(),
    actor: processor({ ref: 'test/actor@1', image: 'isomorph.test/test_actor:1' }),
    missing: processor({ ref: 'test/nobody@1' }),
    ownVariables: [],
    workingFolder: 'image',
    keptLogBytes: 256 * 1024,
    async runFromKilledProcess(assignment: Assignment) {
      const args = ['--import', import.meta.resolve('tsx'), START_MAIN, its.urls.service, JSON.stringify(assignment)];
      const starter = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      await firstLine(starter);
      starter.kill('SIGKILL');
      await once(starter, 'exit');
    },
    isAlive,
    isBack: () => back,
    async stop() {
      isStopping = true;
      await its.stop();
    },
  };
}

runtimeConformance('worker', worker);
