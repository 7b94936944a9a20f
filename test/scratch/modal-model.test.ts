/** Command lists against a model, on a calm control plane and on one that loses answers. */
import { kvCapabilities } from '../../shared/scratch/kv/open.ts';
import { queueCapabilities } from '../../shared/scratch/queue/open.ts';
import { LOST_ANSWERS, modalServer } from '../harness/modal/under-test.ts';
import { suite } from '../harness/suite.ts';
import { kvAt, queueAt } from './clients.ts';
import { checkModel, MODEL_LIMITS, MODEL_RUNS } from './model.ts';
import { kvModel } from './model-kv.ts';
import { queueModel } from './model-queue.ts';

/** A machine that is busy with other things must not look like a fault; injected ones answer at once. */
const timeoutMs = 60_000;

const [kvHas, queueHas] = await Promise.all([kvCapabilities('modal:'), queueCapabilities('modal:')]);

const MODELS = [
  { name: 'modal: model', faults: undefined, runs: MODEL_RUNS },
  // Each lost answer costs a pause before the SDK asks again.
  { name: 'modal with lost answers: model', faults: LOST_ANSWERS, runs: Math.ceil(MODEL_RUNS / 5) },
];
for (const { name, faults, runs } of MODELS) {
  const { server } = modalServer(faults);
  const test = suite(name, undefined, MODEL_LIMITS);
  test.before(() => server.start());
  test.after(() => server.stop());
  test('KV is a map', () =>
    checkModel(
      kvModel(() => kvAt('modal:', { timeoutMs }), kvHas),
      runs,
    ));
  test('a queue is a set of messages', () =>
    checkModel(
      queueModel(() => queueAt('modal:', { timeoutMs }), queueHas),
      runs,
    ));
  test.run();
}
