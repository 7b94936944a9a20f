/** Three minutes of the soak: correctness only, since a shared machine bends what is measured in MB. */
import * as assert from 'uvu/assert';
import { suite } from '../harness/suite.ts';
import { soak } from './soak.ts';

const MINUTES = 3;
const SEED = 1;

const test = suite('soak', undefined, { timeoutMs: 900_000 });

test('plans that hurt nobody end as they must, and all records agree, whatever is killed or sent beside them', async () => {
  const { findings, home, rounds } = await soak({ minutes: MINUTES, seed: SEED, on: [], judgesMemory: false });
  assert.equal(findings, [], `the store is kept in ${home}`);
  assert.ok(rounds > 1, `only ${rounds} rounds`);
});

test.run();
