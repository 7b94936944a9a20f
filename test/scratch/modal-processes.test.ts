/** Many clients in processes of their own, with SIGKILLs. */
import { ControlPlane } from '../harness/modal/control-plane.ts';
import { suite } from '../harness/suite.ts';
import { LOAD_LIMITS, survivesKills } from './many-processes.ts';

const test = suite('modal: many processes', undefined, LOAD_LIMITS);
const plane = new ControlPlane();

test.before(async () => {
  await plane.start();
  Object.assign(process.env, plane.environment);
});
test.after(() => plane.stop());

test('consumers that are killed at any moment lose nothing, and what was acked is never seen again', () =>
  survivesKills('modal:'));

test.run();
