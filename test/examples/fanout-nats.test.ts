import { EVERYWHERE, onModal, pairs } from './fanout.ts';

const test = onModal('fan-out, KV on nats');
pairs(test, { nats: EVERYWHERE.nats }, EVERYWHERE);
test.run();
