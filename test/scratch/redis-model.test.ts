import { kvCapabilities } from '../../shared/scratch/kv/open.ts';
import { queueCapabilities } from '../../shared/scratch/queue/open.ts';
import { available, startRedis } from '../harness/servers/index.ts';
import { suite } from '../harness/suite.ts';
import { kvAt, queueAt } from './clients.ts';
import { checkModel, MODEL_LIMITS } from './model.ts';
import { kvModel } from './model-kv.ts';
import { queueModel } from './model-queue.ts';
import { onServer } from './suite-server.ts';

const [found, kvHas, queueHas] = await Promise.all([
  available('redis-server'),
  kvCapabilities('redis://localhost'),
  queueCapabilities('redis://localhost'),
]);
const test = suite('redis: model', undefined, MODEL_LIMITS);
test.skipUnless(found.ok, found.ok ? '' : found.reason);

const server = onServer(found, () => startRedis());
test.before(() => server.start());
test.after(() => server.stop());

test('KV is a map', () => checkModel(kvModel(() => kvAt(server.url()), kvHas)));
test('a queue is a set of messages', () => checkModel(queueModel(() => queueAt(server.url()), queueHas)));

test.run();
