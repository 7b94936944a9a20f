/** One counter of many processes, with lost answers: in a file of its own, since it takes its time on a slow machine. */
import * as assert from 'uvu/assert';
import { ControlPlane } from '../harness/modal/control-plane.ts';
import type { FaultKind } from '../harness/modal/faults.ts';
import { suite } from '../harness/suite.ts';
import { countsExactly, LOAD, LOAD_LIMITS } from './many-processes.ts';

const test = suite('modal: counting in many processes', undefined, LOAD_LIMITS);
const plane = new ControlPlane();

test.before(async () => {
  await plane.start();
  Object.assign(process.env, plane.environment);
});
test.after.each(() => plane.faults.clear());
test.after(() => plane.stop());

/** Of the thousand of other drivers: all race for one cell each time, and a thousand of that are six minutes of CPU. */
const COUNTS_EACH = Math.min(LOAD.countsEach, 250);

test('8 processes count one key without a gap or a double while answers get lost', async () => {
  // So rare that no call meets one in all of its seven tries. Few faults cut all connections: gRPC takes its time to come back.
  const kinds: FaultKind[] = [...Array<FaultKind>(19).fill('unavailable'), 'disconnect'];
  plane.faults.atRandom({ rate: 0.05, seed: 7, kinds, methods: ['DictUpdate', 'DictGet'] });
  await countsExactly('modal:', { ...LOAD, counters: 8, countsEach: COUNTS_EACH });
  assert.ok((plane.faults.met.get('DictUpdate') ?? 0) > 10, 'answers were lost');
});

test.run();
