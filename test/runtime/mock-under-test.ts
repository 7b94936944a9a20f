import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { MockRuntime } from '../../shared/runtime/drivers/mock/mock.ts';
import type { RuntimeAdapter } from '../../shared/runtime/runtime.ts';
import { isAlive } from '../../stack/process.ts';
import { processor } from '../plan/admitted-plan.ts';
import type { RuntimeUnderTest } from './conformance.ts';
import { type Elsewhere, startAndDie } from './start-elsewhere.ts';

const PROCESSORS = fileURLToPath(new URL('./processors', import.meta.url));

export interface MockUnderTest extends RuntimeUnderTest {
  readonly stateDir: string;
}

export interface MockUnderTestOptions {
  /** Whether each run finds a process that waits for it, or none does. */
  readonly parked: boolean;
  readonly processorsDir?: string;
}

/** The runtime as another process opens it on the same folder. */
export const mockElsewhere = (stateDir: string, { parked }: MockUnderTestOptions): Elsewhere => ({
  adapter: 'mock',
  processorsDir: PROCESSORS,
  stateDir,
  env: { START_PARKED: parked ? '1' : '0' },
});

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
    runFromKilledProcess: (assignment) => startAndDie(mockElsewhere(stateDir, options), assignment),
    isAlive,
    async stop() {
      await runtime.close();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}
