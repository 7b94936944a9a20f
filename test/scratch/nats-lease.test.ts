/** A clock that is wrong must not let a receipt end somebody else's delivery: the marks decide, not the time. */
import type { NatsConnection } from '@nats-io/transport-node';
import * as assert from 'uvu/assert';
import { connectNats } from '../../shared/nats/connect.ts';
import { readHandle, writeHandle } from '../../shared/scratch/queue/drivers/nats/lease.ts';
import { topicPlace } from '../../shared/wire/scratch-streams.ts';
import { suite } from '../harness/suite.ts';
import { queueAt } from './clients.ts';
import { freshPlanId, refused } from './conformance.ts';
import { NatsForTests } from './nats-server.ts';
import { assertStats, next, publish, SHORT_S, TOPIC } from './queue-steps.ts';

const test = suite('nats: leases');
const server = new NatsForTests();

test.before(() => server.start());
test.after(() => server.stop());

test('an expired receipt is refused also where the clock says that it is good', async () => {
  const { client, dispose } = await queueAt(server.url);
  const planId = freshPlanId();
  await publish(client, planId, 'x');
  const { receiptHandle } = await next(client, planId, { visibilityTimeoutS: SHORT_S });
  const current = await next(client, planId);
  const good = {
    ...readHandle(receiptHandle, topicPlace(planId, { name: TOPIC, isDead: false }), 0),
    expiresAtMs: Date.now() + 3_600_000,
  };
  const request = { planId, topic: TOPIC, receiptHandle: writeHandle(good) };
  await refused(client.ack(request), 'ERR_RECEIPT', 'ack');
  await refused(client.nack(request), 'ERR_RECEIPT', 'nack');
  await assertStats(client, planId, { inFlight: 1 });
  await client.ack({ planId, topic: TOPIC, receiptHandle: current.receiptHandle });
  await dispose();
});

/** A connection on which acknowledgements get lost. */
const losingAcks = (connection: NatsConnection): NatsConnection =>
  new Proxy(connection, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      if (name !== 'request') return value.bind(target);
      return (subject: string, ...rest: unknown[]) =>
        subject.startsWith('$JS.ACK.') ? Promise.reject(new Error('lost')) : value.call(target, subject, ...rest);
    },
  });

test('an acknowledgement that was lost is made up for by the next consumer', async () => {
  const connection = await connectNats({ url: server.url, name: 'lossy' });
  const lossy = await queueAt('nats:', { connection: losingAcks(connection) });
  const { client, dispose } = await queueAt(server.url);
  const planId = freshPlanId();
  await publish(lossy.client, planId, 'x');
  const { receiptHandle } = await next(lossy.client, planId, { visibilityTimeoutS: SHORT_S });
  await lossy.client.ack({ planId, topic: TOPIC, receiptHandle });
  await assertStats(client, planId, { inFlight: 1 });
  assert.equal(await client.consume({ planId, topic: TOPIC, waitS: 3 * SHORT_S }), []);
  await assertStats(client, planId, {});
  await Promise.all([dispose(), lossy.dispose()]);
  await connection.close();
});

test.run();
