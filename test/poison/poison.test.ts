/** 50,000 inputs, a sixth at each door of one running stack, from generators; `npm run fuzz -- poison` takes as many as one likes. */
import { suite } from '../harness/suite.ts';
import { poisonEveryDoor } from './every-door.ts';

const COUNT_EACH = 8_334;
const SEED = 1;

const test = suite('poison', undefined, { timeoutMs: 900_000 });

test('whatever is published is refused with a code, and plans go on beside it', () =>
  poisonEveryDoor({ countEach: COUNT_EACH, seed: SEED }));

test.run();
