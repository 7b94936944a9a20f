import { openRuntime } from '../../shared/runtime/open.ts';
import { isAlive } from '../../stack/process.ts';
import { modalUnderTest, withGpu } from '../harness/modal/runtime.ts';
import { OWN_VARIABLES } from '../harness/modal/sandboxes.ts';
import { type RuntimeUnderTest, runtimeConformance } from './conformance.ts';
import { startAndDie } from './start-elsewhere.ts';

const NOWHERE = { processorsDir: '/nonexistent', stateDir: '/nonexistent' };

const modal = (gpu: boolean) => async (): Promise<RuntimeUnderTest> => {
  const its = await modalUnderTest();
  const actor = gpu ? withGpu(its.actor) : its.actor;
  const runtime = await openRuntime('modal', NOWHERE);
  return {
    runtime,
    actor,
    missing: { ...actor, ref: 'test/nobody@1', image: 'isomorph.test/test_nobody:1' },
    ownVariables: OWN_VARIABLES,
    workingFolder: 'image',
    keptLogBytes: 256 * 1024,
    runFromKilledProcess: (assignment) => startAndDie({ adapter: 'modal', ...NOWHERE }, assignment),
    isAlive,
    async stop() {
      await runtime.close();
      await its.stop();
    },
  };
};

runtimeConformance('modal', modal(false));
runtimeConformance('modal, GPU', modal(true));
