import { EVERYWHERE, onModal, pairs } from './fanout.ts';

const test = onModal('fan-out');
pairs(test, EVERYWHERE, EVERYWHERE);
test.run();
