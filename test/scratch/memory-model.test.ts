import { kvCapabilities } from '../../shared/scratch/kv/open.ts';
import { queueCapabilities } from '../../shared/scratch/queue/open.ts';
import { suite } from '../harness/suite.ts';
import { kvAt, queueAt } from './clients.ts';
import { freshPlanId } from './conformance.ts';
import { checkModel, MODEL_LIMITS } from './model.ts';
import { kvModel } from './model-kv.ts';
import { queueModel } from './model-queue.ts';

const [kv, queue] = await Promise.all([kvCapabilities('memory:'), queueCapabilities('memory:')]);
const test = suite('memory: model', undefined, MODEL_LIMITS);

test('KV is a map', () => checkModel(kvModel(() => kvAt(`memory:${freshPlanId()}`), kv)));
test('a queue is a set of messages', () => checkModel(queueModel(() => queueAt(`memory:${freshPlanId()}`), queue)));

test.run();
