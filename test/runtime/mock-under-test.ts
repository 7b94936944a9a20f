import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { MockRuntime } from '../../shared/runtime/drivers/mock/mock.ts';
import type { Assignment, RuntimeAdapter } from '../../shared/runtime/runtime.ts';
import { isAlive } from '../../stack/process.ts';
import { processor } from '../plan/admitted-plan.ts';
import type { RuntimeUnderTest } from './conformance.ts';

const PROCESSORS = fileURLToPath(new URL('./processors', import.meta.url));
const START_MAIN = fileURLToPath(new URL('./start-main.ts', import.meta.url));

export interface MockUnderTest extends RuntimeUnderTest {
  readonly stateDir: string;
}

export interface MockUnderTestOptions {
  /** Whether each run finds a process that waits for it, or none does. */
  readonly parked: boolean;
  readonly processorsDir?: string;
}

/** Another process that opens the runtime on the same folder and runs one execution. It says a line when that has begun. */
export function startElsewhere(stateDir: string, assignment: Assignment, { parked }: MockUnderTestOptions) {
  const args = ['--import', import.meta.resolve('tsx'), START_MAIN, 'mock', PROCESSORS, stateDir];
  return spawn(process.execPath, [...args, JSON.stringify(assignment)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, START_PARKED: parked ? '1' : '0' },
  });
}

export async function mockUnderTest(options: MockUnderTestOptions): Promise<MockUnderTest> {
  const { parked, processorsDir = PROCESSORS } = options;
  const stateDir = await mkdtemp(path.join(os.tmpdir(), 'isomorph-mock-'));
  const mock = await new MockRuntime({ processorsDir, stateDir, ...(parked ? {} : { parked: 0 }) }).open();
  const run: RuntimeAdapter['run'] = async (...of) => {
    await mock.park();
    return mock.run(...of);
  };
  const runtime: RuntimeAdapter = new Proxy(mock, {
    get: (target, name: keyof RuntimeAdapter) => {
      if (name === 'run') return run;
      const value = target[name];
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return {
    runtime,
    stateDir,
    actor: processor({ ref: 'test/actor@1', image: 'isomorph.test/test_actor:1' }),
    missing: processor({ ref: 'test/nobody@1' }),
    // POSIX shells set it in whatever they start.
    ownVariables: ['PWD'],
    workingFolder: 'empty',
    keptLogBytes: 256 * 1024,
    async runFromKilledProcess(assignment: Assignment) {
      const starter = startElsewhere(stateDir, assignment, options);
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
