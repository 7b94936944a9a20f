import { EVERYWHERE, onModal, pairs } from './fanout.ts';

const test = onModal('fan-out, KV on memory');
pairs(test, { memory: EVERYWHERE.memory }, EVERYWHERE);
test.run();
