import { jetstreamManager } from '@nats-io/jetstream';
import * as assert from 'uvu/assert';
import { NatsFactSink } from '../../services/gateway/facts.ts';
import { parseFact } from '../../services/sampler/decide.ts';
import { connectNats } from '../../shared/nats/connect.ts';
import type { ScratchFact } from '../../shared/scratch/facts.ts';
import { openKv } from '../../shared/scratch/kv/open.ts';
import { openQueue } from '../../shared/scratch/queue/open.ts';
import { suite } from '../harness/suite.ts';
import { bytes } from './conformance.ts';
import { NatsForTests } from './nats-server.ts';

const test = suite('facts of scratch on NATS');
const server = new NatsForTests();

test.before(() => server.start());
test.after(() => server.stop());

const FACT: ScratchFact = { planId: 'p', kind: 'scratch.kv.changed', data: { key: 'k', op: 'put' } };

test('what KV and queues tell is what the sampler reads', async () => {
  const connection = await connectNats({ url: server.url, name: 'facts' });
  const factSink = new NatsFactSink(connection);
  const kv = await openKv('memory:', { factSink });
  const queue = await openQueue('memory:', { factSink, maxDeliveries: 1 });
  await kv.put({ planId: 'p', key: '🔑', value: bytes('v') });
  await queue.publish({ planId: 'p', topic: 't', body: bytes('x') });
  const [message] = await queue.consume({ planId: 'p', topic: 't' });
  await queue.nack({ planId: 'p', topic: 't', receiptHandle: message?.receiptHandle ?? '', reason: 'r' });
  await factSink.flush();
  const { streams } = await jetstreamManager(connection);
  const kinds: string[] = [];
  for (const seq of [1, 2, 3]) {
    const stored = await streams.getMessage('FACTS', { seq });
    const parsed = parseFact(stored?.data ?? new Uint8Array(), seq);
    assert.ok(parsed.ok, JSON.stringify(parsed));
    if (parsed.ok) kinds.push(parsed.fact.draft.kind);
  }
  assert.equal(kinds.sort(), ['scratch.kv.changed', 'scratch.queue.deadletter', 'scratch.queue.published']);
  assert.is(factSink.dropped, 0);
  await connection.close();
});

test('a sink that is full, closed or cut off drops, counts, and fails nobody', async () => {
  const connection = await connectNats({ url: server.url, name: 'facts' });
  const small = new NatsFactSink(connection, { capacity: 10 });
  for (let index = 0; index < 100; index++) small.emit(FACT);
  assert.is(small.dropped, 90);
  await small.close();
  assert.is(small.dropped, 90);
  small.emit(FACT);
  assert.is(small.dropped, 91);
  const cutOff = new NatsFactSink(connection, { attempts: 1 });
  await connection.close();
  cutOff.emit(FACT);
  await cutOff.flush();
  assert.is(cutOff.dropped, 1);
});

test('where the line is full a plan that floods makes room for others, and never for itself', async () => {
  const connection = await connectNats({ url: server.url, name: 'facts' });
  const sink = new NatsFactSink(connection, { capacity: 10 });
  const subjects: string[] = [];
  const told = connection.subscribe('facts.>', { callback: (_, { subject }) => void subjects.push(subject) });
  await connection.flush();
  const emit = (planId: string) => sink.emit({ ...FACT, planId });
  for (let index = 0; index < 100; index++) emit('flood');
  for (let index = 0; index < 3; index++) emit('quiet');
  for (let index = 0; index < 100; index++) emit('flood');
  await sink.flush();
  await connection.flush();
  told.unsubscribe();
  const of = (planId: string) => subjects.filter((subject) => subject.split('.')[1] === planId).length;
  assert.equal([of('quiet'), of('flood'), sink.dropped], [3, 7, 193]);
  await connection.close();
});

test.run();
