import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { openRuntime } from '../../shared/runtime/open.ts';
import type { Assignment } from '../../shared/runtime/runtime.ts';
import { isAlive } from '../../stack/process.ts';
import { processor } from '../plan/admitted-plan.ts';
import { type RuntimeUnderTest, runtimeConformance } from './conformance.ts';

const PROCESSORS = fileURLToPath(new URL('./processors', import.meta.url));
const START_MAIN = fileURLToPath(new URL('./start-main.ts', import.meta.url));

async function mock(): Promise<RuntimeUnderTest> {
  const stateDir = await mkdtemp(path.join(os.tmpdir(), 'isomorph-mock-'));
  const runtime = await openRuntime('mock', { processorsDir: PROCESSORS, stateDir });
  return {
    runtime,
    actor: processor({ ref: 'test/actor@1', image: 'isomorph.test/test_actor:1' }),
    missing: processor({ ref: 'test/nobody@1' }),
    // POSIX shells set it in whatever they start.
    ownVariables: ['PWD'],
    workingFolder: 'empty',
    keptLogBytes: 256 * 1024,
    async runFromKilledProcess(assignment: Assignment) {
      const args = ['--import', import.meta.resolve('tsx'), START_MAIN, 'mock', PROCESSORS, stateDir];
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
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}

runtimeConformance('mock', mock);
