/** Many clients in processes of their own, with SIGKILLs. */
import { ControlPlane } from '../harness/modal/control-plane.ts';
import { suite } from '../harness/suite.ts';
import { LOAD, LOAD_LIMITS, survivesKills } from './many-processes.ts';

const test = suite('modal: many processes', undefined, LOAD_LIMITS);
const plane = new ControlPlane();

test.before(async () => {
  await plane.start();
  Object.assign(process.env, plane.environment);
});
test.after(() => plane.stop());

/** Each consumer lists the whole plan to find what a killed one left, and the control plane serves them all from one process. */
const load = { ...LOAD, messages: Math.min(LOAD.messages, 2_000) };

test('consumers that are killed at any moment lose nothing, and what was acked is never seen again', () =>
  survivesKills('modal:', { load, findsByScan: true }));

test.run();
