import { queueCapabilities } from '../../shared/scratch/queue/open.ts';
import { available, startMoto } from '../harness/servers/index.ts';
import { suite } from '../harness/suite.ts';
import { queueAt } from './clients.ts';
import { checkModel, MODEL_LIMITS } from './model.ts';
import { queueModel } from './model-queue.ts';
import { onServer } from './redis-suite-server.ts';

process.env.AWS_ACCESS_KEY_ID ??= 'test';
process.env.AWS_SECRET_ACCESS_KEY ??= 'test';

// moto forgets an id when its message is deleted.
const REGION = 'sqs://us-east-1?dedupe=none';

const [found, queueHas] = await Promise.all([available('moto'), queueCapabilities(REGION)]);
const test = suite('sqs: model', undefined, MODEL_LIMITS);
test.skipUnless(found.ok, found.ok ? '' : found.reason);

const server = onServer(found, () => startMoto());
test.before(() => server.start());
test.after(() => server.stop());

test('a queue is a set of messages', () =>
  checkModel(queueModel(() => queueAt(`${REGION}&endpoint=${server.url()}`), queueHas)));

test.run();
