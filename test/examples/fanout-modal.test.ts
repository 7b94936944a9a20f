import { EVERYWHERE, onModal, pairs } from './fanout.ts';

const test = onModal('fan-out, KV on modal');
pairs(test, { modal: EVERYWHERE.modal }, EVERYWHERE);
test.run();
