import { queueCapabilities } from '../../shared/scratch/queue/open.ts';
import { startSqsServer } from '../harness/servers/index.ts';
import { suite } from '../harness/suite.ts';
import { queueAt } from './clients.ts';
import { checkModel, MODEL_LIMITS } from './model.ts';
import { queueModel } from './model-queue.ts';
import { ALWAYS, onServer } from './suite-server.ts';

const REGION = 'sqs://us-east-1';

const queueHas = await queueCapabilities(REGION);
const test = suite('sqs: model', undefined, MODEL_LIMITS);

const server = onServer(ALWAYS, startSqsServer);
test.before(() => server.start());
test.after(() => server.stop());

test('a queue is a set of messages', () =>
  checkModel(queueModel(() => queueAt(`${REGION}?endpoint=${server.url()}`), queueHas)));

test.run();
