import { fileURLToPath } from 'node:url';
import { executionId } from '../../../shared/ids/ids.ts';
import type { Processor } from '../../../shared/plan/registry.ts';
import { ModalRuntime, type ModalRuntimeOptions } from '../../../shared/runtime/drivers/modal/modal.ts';
import type { Assignment } from '../../../shared/runtime/runtime.ts';
import { processor } from '../../plan/admitted-plan.ts';
import { ControlPlane } from './control-plane.ts';
import type { Sandbox } from './sandbox.ts';
import { pushProcessor } from './test-images.ts';

const ACTOR_FOLDER = fileURLToPath(new URL('../../runtime/processors/test_actor', import.meta.url));
const DIGEST = `sha256:${'ab12'.repeat(16)}`;
const MINUTE_MS = 60_000;

export interface ModalUnderTest {
  readonly plane: ControlPlane;
  readonly runtime: ModalRuntime;
  readonly actor: Processor;
  /** A second dispatcher's runtime. */
  another(options?: ModalRuntimeOptions): Promise<ModalRuntime>;
  /** An execution of its own that does what `params` say to `processors/test_actor`. */
  assignment(params?: Record<string, unknown>, more?: Partial<Assignment>): Assignment;
  /** The sandboxes that were ever made for an execution. */
  sandboxesOf(execution: Assignment): readonly Sandbox[];
  stop(): Promise<void>;
}

/** The actor with a GPU: V1 sandboxes are what GPUs run in. */
export const withGpu = (one: Processor): Processor => ({
  ...one,
  runtime: { ...one.runtime, gpu: { model: 'L4', count: 1, mem_gb: 24 } },
});

/** A control plane that has the image of `processors/test_actor`, and a runtime that goes there. */
export async function modalUnderTest(): Promise<ModalUnderTest> {
  const plane = new ControlPlane();
  await plane.start();
  Object.assign(process.env, plane.environment);
  const actor = processor({ ref: 'test/actor@1', image: `isomorph.test/test_actor@${DIGEST}` });
  await pushProcessor(plane.world, ACTOR_FOLDER, actor);
  const opened: ModalRuntime[] = [];
  const another = async (options: ModalRuntimeOptions = {}): Promise<ModalRuntime> => {
    const runtime = await ModalRuntime.open(options);
    opened.push(runtime);
    return runtime;
  };
  let count = 0;
  return {
    plane,
    runtime: await another(),
    actor,
    another,
    assignment(params = {}, more = {}) {
      count += 1;
      const step = `step-${count}`;
      const id = executionId('plan', step, 1);
      const deadlineMs = more.deadlineMs ?? Date.now() + MINUTE_MS;
      const job = {
        ...{
          v: 1 as const,
          plan_id: 'plan',
          step_id: step,
          execution_id: id,
          attempt: 1,
          processor: actor.ref,
          params,
        },
        ...{ inputs: {}, outputs: {}, deadline: new Date(deadlineMs).toISOString() },
      };
      return { executionId: id, processor: actor, job, secrets: {}, deadlineMs, ...more };
    },
    sandboxesOf: ({ executionId: id }) =>
      plane.world.sandboxes.all.filter(({ tags }) => tags.some(({ tag_value }) => tag_value === id)),
    async stop() {
      await Promise.all(opened.map((runtime) => runtime.close()));
      await plane.close();
    },
  };
}
