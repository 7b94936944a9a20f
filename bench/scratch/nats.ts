import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { createInbox, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { connectNats } from '../../shared/nats/connect.ts';
import { openKv } from '../../shared/scratch/kv/open.ts';
import { openQueue } from '../../shared/scratch/queue/open.ts';
import { KV_BUCKET, kvKey } from '../../shared/wire/scratch-kv.ts';
import { topicPlace } from '../../shared/wire/scratch-streams.ts';
import { NatsForTests } from '../../test/scratch/nats-server.ts';
import { BARE_PLAN, type Backend, PLAN, TOPIC, VALUE, VISIBILITY_S } from './contender.ts';

const NS = 1_000_000_000;

/** The next message, by the request that the driver makes too: the client's own `fetch` waits a second at least. */
async function next(connection: NatsConnection, stream: string, consumer: string): Promise<Msg> {
  for (;;) {
    const inbox = createInbox();
    const subscription = connection.subscribe(inbox, { max: 1 });
    const request = JSON.stringify({ batch: 1, no_wait: true });
    connection.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`, request, { reply: inbox });
    for await (const message of subscription) {
      // Just after a publish it may say that there is none.
      if ((message.headers?.code ?? 0) === 0) return message;
    }
  }
}

/** On a server that syncs every write, as the embedded stack has it. */
export async function startNats(): Promise<Backend> {
  const server = new NatsForTests();
  await server.start();
  const [kv, queue] = [await openKv(server.url), await openQueue(server.url)];
  const bare = await connectNats({ url: server.url, name: 'bare' });
  const manager = await jetstreamManager(bare, { checkAPI: false });
  const js = jetstream(bare, { checkAPI: false });
  const bucket = await new Kvm(js).open(KV_BUCKET, { allow_direct: false });
  const place = topicPlace(BARE_PLAN, { name: TOPIC, isDead: false });
  await manager.consumers.add(place.stream, {
    durable_name: place.consumer,
    filter_subject: place.subject,
    ack_policy: 'explicit',
    ack_wait: VISIBILITY_S * NS,
    max_ack_pending: -1,
  });
  return {
    contests: [
      {
        name: 'nats_kv',
        opsPerStep: 2,
        steps: 300,
        async ours(index) {
          const key = `key ${index % 1_000}`;
          await kv.put({ planId: PLAN, key, value: VALUE });
          await kv.get({ planId: PLAN, key });
        },
        async bare(index) {
          const key = kvKey(BARE_PLAN, `key ${index % 1_000}`);
          await bucket.put(key, VALUE);
          await bucket.get(key);
        },
      },
      {
        name: 'nats_queue',
        opsPerStep: 3,
        steps: 300,
        async ours() {
          await queue.publish({ planId: PLAN, topic: TOPIC, body: VALUE });
          const [message] = await queue.consume({
            planId: PLAN,
            topic: TOPIC,
            visibilityTimeoutS: VISIBILITY_S,
            waitS: 5,
          });
          const { receiptHandle = '' } = message ?? {};
          await queue.ack({ planId: PLAN, topic: TOPIC, receiptHandle });
        },
        async bare() {
          await js.publish(place.subject, VALUE);
          const message = await next(bare, place.stream, place.consumer);
          const sequence = message.reply?.split('.')[5] ?? '';
          const options = { ttl: '24h', expect: { lastSubjectSequence: 0 } };
          await js.publish(`${place.subject}.lease.${sequence}`, '{"is":"acked"}', options);
          // As the driver: the mark has ended the delivery, and nobody waits for the answer.
          bare.request(message.reply ?? '', '+ACK').catch(() => undefined);
        },
      },
    ],
    async stop() {
      await Promise.all([kv.close(), queue.close(), bare.close()]);
      await server.stop();
    },
  };
}
