/** What the Modal drivers do when a single answer is lost or a client dies between two calls, on the wire. */
import { ModalClient } from 'modal';
import * as assert from 'uvu/assert';
import { objectName } from '../../shared/providers/modal/names.ts';
import type { Kv } from '../../shared/scratch/kv/kv.ts';
import { openKv } from '../../shared/scratch/kv/open.ts';
import { openQueue } from '../../shared/scratch/queue/open.ts';
import type { Queue } from '../../shared/scratch/queue/queue.ts';
import { ControlPlane } from '../harness/modal/control-plane.ts';
import type { Fault } from '../harness/modal/faults.ts';
import { suite } from '../harness/suite.ts';
import { bytes, freshPlanId, refused, text } from './conformance.ts';

const DAY_MS = 86_400_000;
const LOST: Fault = { when: 'after', kind: 'unavailable' };
const CUT: Fault = { when: 'after', kind: 'disconnect' };
const REFUSED: Fault = { when: 'before', kind: 'unavailable' };
const ONCE = { retry: { attempts: 1 } };
/** More than the SDK tries a call. */
const ALL_TRIES = 10;

const test = suite('modal: lost answers');
const plane = new ControlPlane();
const opened: { close(): Promise<void> }[] = [];

test.before(async () => {
  await plane.start();
  Object.assign(process.env, plane.environment);
});
test.after.each(async () => {
  plane.faults.clear();
  await Promise.all(opened.splice(0).map((client) => client.close()));
});
test.after(() => plane.stop());

async function kv(): Promise<Kv> {
  const client = await openKv('modal:', ONCE);
  opened.push(client);
  return client;
}
async function queue(maxDeliveries = 20): Promise<Queue> {
  const client = await openQueue('modal:', { ...ONCE, maxDeliveries });
  opened.push(client);
  return client;
}
const fresh = () => ({ planId: freshPlanId(), topic: 'work' });

/** What a listing came to that met as many faults. */
async function listing(fault: Fault, times: number): Promise<string> {
  const [client, at] = [await queue(), fresh()];
  await client.publish({ ...at, body: bytes('x') });
  plane.faults.next('DictContents', fault, times);
  const told = await client.stats(at).then(
    () => 'it succeeded',
    (error: Error) => error.message,
  );
  plane.faults.clear();
  assert.is((await client.stats(at)).ready, 1);
  return told;
}

test('a listing that falls silent ends by a limit of its own, well before the operation does', async () => {
  assert.match(await listing({ when: 'after', kind: 'silence' }, 1), /DictContents was silent/);
});

test('a listing, which the SDK does not repeat, is repeated like any other call', async () => {
  assert.is(await listing(LOST, 3), 'it succeeded');
  assert.is(await listing(CUT, 1), 'it succeeded');
  assert.match(await listing(LOST, ALL_TRIES), /DictContents UNAVAILABLE/);
});

for (const [how, fault] of Object.entries({ 'its answer is lost': LOST, 'the connection is cut': CUT })) {
  test(`an incr counts once when ${how}`, async () => {
    const [client, { planId }] = [await kv(), fresh()];
    assert.is(await client.incr({ planId, key: 'n' }), 1);
    plane.faults.next('DictUpdate', fault);
    assert.is(await client.incr({ planId, key: 'n' }), 2);
    assert.is(await (await kv()).incr({ planId, key: 'n' }), 3);
  });

  test(`a publish with a key stores one message when ${how}`, async () => {
    const [client, at] = [await queue(), fresh()];
    const message = { ...at, body: bytes('x'), idempotencyKey: 'once' };
    plane.faults.next('DictUpdate', fault, 2);
    const id = await client.publish(message);
    assert.is(await client.publish(message), id);
    assert.is((await client.stats(at)).ready, 1);
  });

  test(`an ack holds when ${how}`, async () => {
    const [client, at] = [await queue(), fresh()];
    await client.publish({ ...at, body: bytes('x') });
    const [message] = await client.consume(at);
    plane.faults.next('DictUpdate', fault);
    plane.faults.next('DictPop', fault);
    const receiptHandle = message?.receiptHandle ?? '';
    await client.ack({ ...at, receiptHandle });
    await refused(client.ack({ ...at, receiptHandle }), 'ERR_RECEIPT');
    assert.equal(await client.stats(at), { ready: 0, inFlight: 0, delayed: 0, dead: 0 });
  });

  test(`a message is delivered although its ticket vanished when ${how}`, async () => {
    const [client, at] = [await queue(), fresh()];
    await client.publish({ ...at, body: bytes('x') });
    plane.faults.next('QueueGet', fault);
    const [message] = await client.consume(at);
    assert.is(text(message?.body), 'x');
    assert.equal(await client.consume(at), [], 'it is this consumer’s now');
  });
}

test('an incr after a far-behind client and after a restart goes on from the last value', async () => {
  const [client, late, { planId }] = [await kv(), await kv(), fresh()];
  assert.is(await late.incr({ planId, key: 'n' }), 1);
  for (let n = 2; n <= 40; n++) assert.is(await client.incr({ planId, key: 'n' }), n);
  await plane.stop();
  await plane.start();
  assert.is(await late.incr({ planId, key: 'n' }), 41);
  assert.is(text(await (await kv()).get({ planId, key: 'n' })), '41');
});

test('a consumer killed between its ack and the removal leaves nothing to deliver', async () => {
  const [client, other, at] = [await queue(), await queue(), fresh()];
  await client.publish({ ...at, body: bytes('x') });
  const [message] = await client.consume({ ...at, visibilityTimeoutS: 0.2 });
  plane.faults.next('DictPop', REFUSED, ALL_TRIES);
  await refused(client.ack({ ...at, receiptHandle: message?.receiptHandle ?? '' }), 'ERR_UNAVAILABLE');
  plane.faults.clear();
  assert.equal(await other.consume({ ...at, waitS: 0.5 }), []);
  assert.equal(await other.stats(at), { ready: 0, inFlight: 0, delayed: 0, dead: 0 });
});

test('an ack that failed may be repeated, and then holds', async () => {
  const [client, at] = [await queue(), fresh()];
  await client.publish({ ...at, body: bytes('x') });
  const [message] = await client.consume(at);
  const receipt = { ...at, receiptHandle: message?.receiptHandle ?? '' };
  plane.faults.next('DictPop', LOST, ALL_TRIES);
  await refused(client.ack(receipt), 'ERR_UNAVAILABLE');
  plane.faults.clear();
  await client.ack(receipt);
  await refused(client.ack(receipt), 'ERR_RECEIPT');
});

test('a consumer killed while it buries a message leaves it to the next', async () => {
  const [client, other, at] = [await queue(1), await queue(1), fresh()];
  const id = await client.publish({ ...at, body: bytes('x') });
  const [message] = await client.consume(at);
  plane.faults.next('DictPop', REFUSED, ALL_TRIES);
  const nack = { ...at, receiptHandle: message?.receiptHandle ?? '', reason: 'broken' };
  await refused(client.nack(nack), 'ERR_UNAVAILABLE');
  plane.faults.clear();
  assert.equal(await other.consume(at), []);
  assert.equal(await other.stats(at), { ready: 0, inFlight: 0, delayed: 0, dead: 1 });
  const [dead] = await other.consume({ ...at, topic: 'work.dead' });
  assert.equal([dead?.id, dead?.deadReason, dead?.deliveries], [id, 'broken', 1]);
});

test('a publisher killed before its key was taken leaves no second message', async () => {
  const [client, at] = [await queue(), fresh()];
  const message = { ...at, body: bytes('x'), idempotencyKey: 'once' };
  // The message is stored, the key is not: the first DictUpdate passes and the next do not.
  const stored = client.publish(message);
  await stored;
  const keyless = { ...message, idempotencyKey: 'twice' };
  const store = plane.faults;
  store.next('DictUpdate', LOST, ALL_TRIES);
  await refused(client.publish(keyless), 'ERR_UNAVAILABLE');
  store.clear();
  const id = await client.publish(keyless);
  const taken = await client.consume({ ...at, maxMessages: 10 });
  assert.equal(taken.map((one) => one.id).sort(), [await stored, id].sort());
});

test('tickets are hints: a full partition and a forgotten one lose nothing', async () => {
  const [client, at] = [await queue(), fresh()];
  const sdk = new ModalClient();
  const tickets = await sdk.queues.fromName(objectName('queue', at.planId), { createIfMissing: true });
  for (let put = 0; put < 5; put++) await tickets.putMany(Array(1_000).fill('no ticket'), { partition: at.topic });
  await client.publish({ ...at, body: bytes('one') });
  assert.is((await client.consume(at)).length, 1);
  await client.publish({ ...at, body: bytes('two') });
  plane.advance(DAY_MS + 1);
  assert.is(text((await client.consume(at))[0]?.body), 'two');
});

test('who asks for stats all the time still finds what a killed consumer left', async () => {
  const [dying, watching, at] = [await queue(), await queue(), fresh()];
  await dying.publish({ ...at, body: bytes('x') });
  assert.is((await dying.consume({ ...at, visibilityTimeoutS: 1 })).length, 1);
  let found: unknown[] = [];
  // By the third round the lease has ended; no ticket says so.
  for (let round = 0; round < 10 && found.length === 0; round++) {
    await watching.stats(at);
    found = await watching.consume({ ...at, waitS: 1 });
  }
  assert.is(found.length, 1);
});

test('a counter that is used once a day outlives the 7 days that Modal keeps idle entries', async () => {
  const [client, { planId }] = [await kv(), fresh()];
  for (let day = 1; day <= 20; day++) {
    assert.is(await client.incr({ planId, key: 'n' }), day);
    assert.is(text(await (await kv()).get({ planId, key: 'n' })), `${day}`);
    plane.advance(DAY_MS);
  }
});

test('two plans whose ids are as long as may be have Dicts of their own', async () => {
  const client = await kv();
  const [a, b] = [`${'a'.repeat(62)}1`, `${'a'.repeat(62)}2`];
  await client.put({ planId: a, key: 'k', value: bytes('a') });
  assert.is(await client.get({ planId: b, key: 'k' }), undefined);
  await client.purgePlan({ planId: a });
  assert.is(await client.get({ planId: a, key: 'k' }), undefined);
});

test('a wrong token and an unusable URL are faults of the configuration', async () => {
  await refused(openKv('modal:no/such'), 'ERR_CONFIG');
  process.env.MODAL_TOKEN_SECRET = 'wrong';
  const client = await kv();
  Object.assign(process.env, plane.environment);
  await refused(client.get({ planId: freshPlanId(), key: 'k' }), 'ERR_CONFIG');
});

test.run();
