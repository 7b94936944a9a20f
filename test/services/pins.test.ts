import type { NatsConnection } from '@nats-io/transport-node';
import * as assert from 'uvu/assert';
import { askForPin } from '../../services/admission/images.ts';
import { answerPins } from '../../services/dispatcher/answer-pins.ts';
import { startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';

const test = suite('asking what an image is');
const PIN = `sha256:${'a'.repeat(64)}`;

let its: TestStack;
let core: NatsConnection;
test.before(async () => {
  its = await startTestStack({ services: [] });
  core = its.core;
});
test.after(() => its.stop());

/** A dispatcher that has this to say. */
function dispatcher(pinImage: (image: string) => Promise<string | undefined>) {
  const errors: unknown[] = [];
  const subscription = answerPins(core, { adapter: 'local', pinImage }, (error) => errors.push(error));
  return { errors, stop: () => subscription.unsubscribe() };
}

test('the answer is that of the runtime', async () => {
  const { stop } = dispatcher(async (image) => (image === 'known:1' ? `known:1@${PIN}` : undefined));
  assert.is(await askForPin(core, 'local', 'known:1'), `known:1@${PIN}`);
  assert.is(await askForPin(core, 'local', 'unknown:1'), undefined);
  stop();
});

test('nobody to ask, another adapter, an engine that does not answer: nobody can tell, at once', async () => {
  assert.is(await askForPin(core, 'local', 'known:1'), undefined);
  const { errors, stop } = dispatcher(() => Promise.reject(new Error('the engine is away')));
  assert.is(await askForPin(core, 'mock', 'known:1'), undefined);
  assert.is(await askForPin(core, 'local', 'known:1'), undefined);
  assert.match(String(errors), /the engine is away/);
  stop();
});

test('an answer that pins nothing is none', async () => {
  for (const wrong of ['known:1', `known:1@${PIN}0`, `${'x'.repeat(200)}@${PIN}`]) {
    const { stop } = dispatcher(async () => wrong);
    assert.is(await askForPin(core, 'local', 'known:1'), undefined, wrong);
    stop();
  }
});

test('what is no request is told and harms nothing', async () => {
  const { errors, stop } = dispatcher(async () => `known:1@${PIN}`);
  assert.equal((await core.request('images.local', 'no JSON')).json(), {});
  assert.equal((await core.request('images.local', '{"image":5}')).json(), {});
  assert.is(errors.length, 1);
  assert.is(await askForPin(core, 'local', 'known:1'), `known:1@${PIN}`);
  stop();
});

test('clients cannot ask', async () => {
  const { errors, stop } = dispatcher(async () => `known:1@${PIN}`);
  const refused = await its.client.request('images.local', '{"image":"known:1"}').then(
    () => 'answered',
    (error: Error) => `${error.name} ${error.message}`,
  );
  assert.match(refused, /permissions|no responders/i);
  assert.equal(errors, []);
  stop();
});

test.run();
