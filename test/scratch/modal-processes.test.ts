/** Many clients in processes of their own, with lost answers and SIGKILLs. */
import * as assert from 'uvu/assert';
import { ControlPlane } from '../harness/modal/control-plane.ts';
import type { FaultKind } from '../harness/modal/faults.ts';
import { suite } from '../harness/suite.ts';
import { countsExactly, LOAD, survivesKills } from './many-processes.ts';

const test = suite('modal: many processes');
const plane = new ControlPlane();

test.before(async () => {
  await plane.start();
  Object.assign(process.env, plane.environment);
});
test.after.each(() => plane.faults.clear());
test.after(() => plane.stop());

test('8 processes count one key without a gap or a double while answers get lost', async () => {
  // Few faults cut all connections: gRPC takes its time to come back.
  const kinds: FaultKind[] = [...Array<FaultKind>(19).fill('unavailable'), 'disconnect'];
  plane.faults.atRandom({ rate: 0.1, seed: 7, kinds, methods: ['DictUpdate', 'DictGet'] });
  const countsEach = Math.ceil(LOAD.countsEach / 4);
  await countsExactly('modal:', { load: { ...LOAD, counters: 8, countsEach } });
  assert.ok((plane.faults.met.get('DictUpdate') ?? 0) > 10, 'answers were lost');
});

test('consumers that are killed at any moment lose nothing, and what was acked is never seen again', () =>
  survivesKills('modal:'));

test.run();
