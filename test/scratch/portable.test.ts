/** What the wrapper adds to any driver: repeats, time limits, counts and audit facts. */
import * as assert from 'uvu/assert';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import type { FactSink, ScratchFact } from '../../shared/scratch/facts.ts';
import type { KvDriver } from '../../shared/scratch/kv/kv.ts';
import { openKv } from '../../shared/scratch/kv/open.ts';
import { PortableKv } from '../../shared/scratch/kv/portable-kv.ts';
import { keyedName, tellerOf } from '../../shared/scratch/names.ts';
import { openQueue } from '../../shared/scratch/queue/open.ts';
import { PortableQueue } from '../../shared/scratch/queue/portable-queue.ts';
import type { QueueDriver } from '../../shared/scratch/queue/queue.ts';
import { suite } from '../harness/suite.ts';
import { bytes, refused } from './conformance.ts';

const test = suite('portable scratch');

const planId = 'p';
const FAST = { retry: { attempts: 3, baseMs: 1, maxMs: 2 } };
const away = () => new IsomorphError('ERR_UNAVAILABLE', 'away');

class Facts implements FactSink {
  readonly dropped = 0;
  readonly heard: ScratchFact[] = [];
  emit(fact: ScratchFact): void {
    this.heard.push(fact);
  }
  async flush(): Promise<void> {}
  async close(): Promise<void> {}
}

/** A driver of which every call fails `failures` times before it succeeds. */
function faltering(failures: number, fault: () => unknown = away): { driver: KvDriver; calls: string[] } {
  const calls: string[] = [];
  const call = async (name: string): Promise<void> => {
    calls.push(name);
    if (calls.length <= failures) throw fault();
  };
  return {
    calls,
    driver: {
      name: 'faltering',
      capabilities: { ttl: 's', maxValueBytes: 10, durable: false },
      get: async () => void (await call('get')),
      put: () => call('put'),
      delete: () => call('delete'),
      incr: async () => {
        await call('incr');
        return 1;
      },
      purgePlan: () => call('purgePlan'),
      close: async () => undefined,
    },
  };
}

test('passing faults are repeated where that is safe, a bounded number of times', async () => {
  const lucky = faltering(2);
  const kv = new PortableKv(lucky.driver, FAST);
  await kv.put({ planId, key: 'k', value: bytes('v') });
  assert.equal(lucky.calls, ['put', 'put', 'put']);
  assert.equal(kv.counts().put, { calls: 1, failed: 0, repeated: 2 });
  const unlucky = faltering(3);
  await refused(new PortableKv(unlucky.driver, FAST).get({ planId, key: 'k' }), 'ERR_UNAVAILABLE');
  assert.is(unlucky.calls.length, 3);
});

test('an incr is never repeated: one whose answer was lost may have counted', async () => {
  const { driver, calls } = faltering(1);
  const kv = new PortableKv(driver, FAST);
  await refused(kv.incr({ planId, key: 'n' }), 'ERR_UNAVAILABLE');
  assert.equal(calls, ['incr']);
  assert.equal(kv.counts().incr, { calls: 1, failed: 1, repeated: 0 });
});

test('what does not pass is not repeated, and what is not ours is a defect', async () => {
  const refusing = faltering(1, () => new IsomorphError('ERR_SCHEMA', 'no'));
  await refused(new PortableKv(refusing.driver, FAST).get({ planId, key: 'k' }), 'ERR_SCHEMA');
  assert.is(refusing.calls.length, 1);
  const broken = faltering(1, () => new TypeError('undefined is not a function'));
  await refused(new PortableKv(broken.driver, FAST).get({ planId, key: 'k' }), 'ERR_INTERNAL');
});

test('a driver that does not answer is given up', async () => {
  const { driver } = faltering(0);
  const silent: KvDriver = { ...driver, get: () => new Promise(() => undefined) };
  const kv = new PortableKv(silent, { timeoutMs: 30, retry: { attempts: 1 } });
  await refused(kv.get({ planId, key: 'k' }), 'ERR_UNAVAILABLE');
  await kv.close();
});

test('bad input never reaches the driver', async () => {
  const { driver, calls } = faltering(0);
  const kv = new PortableKv(driver, FAST);
  await refused(kv.put({ planId, key: '', value: bytes('v') }), 'ERR_SCHEMA');
  await refused(kv.put({ planId, key: 'k', value: bytes('eleven bytes') }), 'ERR_TOO_LARGE');
  await refused(kv.incr({ planId, key: 'k', ttlS: 0.5 }), 'ERR_SCHEMA');
  assert.equal(calls, []);
});

test('a publish is repeated only with an idempotency key', async () => {
  let calls = 0;
  const publish: QueueDriver['publish'] = async () => {
    calls++;
    if (calls % 2 === 1) throw away();
    return 'id';
  };
  const memory = await openQueue('memory:');
  const driver = {
    name: 'faltering',
    capabilities: memory.capabilities,
    publish,
    close: async () => undefined,
  } as unknown as QueueDriver;
  const queue = new PortableQueue(driver, FAST);
  await refused(queue.publish({ planId, topic: 't', body: bytes('x') }), 'ERR_UNAVAILABLE');
  calls = 0;
  assert.is(await queue.publish({ planId, topic: 't', body: bytes('x'), idempotencyKey: 'k' }), 'id');
});

const tell = tellerOf({ planId, secret: bytes('key of a gateway'), clear: ['open', 't'] });

test('changes of keys are told without values, and names only as the caller tells them', async () => {
  const factSink = new Facts();
  const kv = await openKv('memory:', { factSink });
  await kv.put({ planId, key: 'open', value: bytes('secret value'), tell });
  await kv.put({ planId, key: 'card 4711', value: bytes('1'), tell });
  await kv.incr({ planId, key: 'card 4711', tell });
  await kv.delete({ planId, key: 'open' });
  await kv.get({ planId, key: 'open' });
  await refused(kv.put({ planId, key: '', value: bytes('v') }), 'ERR_SCHEMA');
  const hash = keyedName(planId, 'card 4711', bytes('key of a gateway'));
  assert.equal(
    factSink.heard.map(({ kind, data }) => [kind, data]),
    [
      ['scratch.kv.changed', { key: 'open', op: 'put' }],
      ['scratch.kv.changed', { key: hash, op: 'put' }],
      ['scratch.kv.changed', { key: hash, op: 'incr' }],
      ['scratch.kv.changed', { key: '[withheld]', op: 'delete' }],
    ],
  );
  assert.not(JSON.stringify(factSink.heard).includes('4711'));
});

test('publishes, retries and dead letters are told without bodies', async () => {
  const factSink = new Facts();
  const queue = await openQueue('memory:', { factSink, maxDeliveries: 2 });
  await queue.publish({ planId, topic: 't', body: bytes('secret body'), tell });
  for (const delayS of [0, 0]) {
    const [message] = await queue.consume({ planId, topic: 't' });
    const receiptHandle = message?.receiptHandle ?? '';
    await queue.nack({ planId, topic: 't', receiptHandle, delayS, reason: 'no luck', tell });
  }
  const [dead] = await queue.consume({ planId, topic: 't.dead' });
  await queue.nack({ planId, topic: 't.dead', receiptHandle: dead?.receiptHandle ?? '', tell });
  assert.equal(
    factSink.heard.map(({ kind, data }) => [kind, data]),
    [
      ['scratch.queue.published', { topic: 't', bytes: 11, approx_size: 1 }],
      ['scratch.queue.retry', { topic: 't', deliveries: 1, delay_s: 0 }],
      ['scratch.queue.deadletter', { topic: 't', deliveries: 2, reason: 'nack' }],
      ['scratch.queue.retry', { topic: 't.dead', deliveries: 1, delay_s: 0 }],
    ],
  );
});

test('why a message was given up is told as a code, whatever its consumer said', async () => {
  const factSink = new Facts();
  const queue = await openQueue('memory:', { factSink, maxDeliveries: 1 });
  for (const reason of ['ERR_TOO_LARGE', 'constructor', 'the password is 4711', undefined, 'expired']) {
    await queue.publish({ planId, topic: 't', body: bytes('x') });
    const [message] = await queue.consume({ planId, topic: 't' });
    const receiptHandle = message?.receiptHandle ?? '';
    await queue.nack({ planId, topic: 't', receiptHandle, ...(reason === undefined ? {} : { reason }) });
  }
  const reasons = factSink.heard.flatMap((one) => (one.kind === 'scratch.queue.deadletter' ? [one.data] : []));
  assert.equal(
    reasons.map(({ topic, reason }) => [topic, reason]),
    ['ERR_TOO_LARGE', 'nack', 'nack', 'nack', 'expired'].map((reason) => ['[withheld]', reason]),
  );
});

test('an unknown scheme is refused without showing the URL', async () => {
  const url = 'nothing://user:password@host';
  for (const open of [openKv, openQueue]) {
    const error = await refused(open(url), 'ERR_CONFIG');
    assert.not(`${error.message} ${error.place.expected}`.includes('password'));
  }
  await refused(openKv('nats:'), 'ERR_CONFIG', 'nats: without a connection');
});

test.run();
