/** What is left to a plan when KV of all plans on NATS is full: its deletions, and the room that they make. */
import { jetstreamManager } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import * as assert from 'uvu/assert';
import { delay } from '../../shared/async/delay.ts';
import type { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { connectNats } from '../../shared/nats/connect.ts';
import type { Kv } from '../../shared/scratch/kv/kv.ts';
import { openKv } from '../../shared/scratch/kv/open.ts';
import { KV_BUCKET, KV_STREAM } from '../../shared/wire/scratch-kv.ts';
import { suite } from '../harness/suite.ts';
import { bytes, freshPlanId, text } from './conformance.ts';
import { NatsForTests } from './nats-server.ts';

const test = suite('nats: a bucket that is full');
const LIMIT_BYTES = 128 * 1024;
const server = new NatsForTests();
let admin: NatsConnection;
let kv: Kv;

test.before(async () => {
  await server.start();
  admin = await connectNats({ url: server.adminUrl, name: 'admin' });
  await (await jetstreamManager(admin)).streams.update(KV_STREAM, { max_bytes: LIMIT_BYTES });
  kv = await openKv(server.url);
});

test.after(async () => {
  await Promise.all([kv.close(), admin.close()]);
  await server.stop();
});

const heldBytes = async (): Promise<number> =>
  (await (await jetstreamManager(admin)).streams.info(KV_STREAM)).state.bytes;

const refusalOf = (call: Promise<unknown>): Promise<IsomorphError | undefined> =>
  call.then(
    () => undefined,
    (error: IsomorphError) => error,
  );

/** Keys `0`, `1`, … until one is refused; how many there are, and the refusal. */
async function fill(
  planId: string,
  value: Uint8Array,
  ttlS?: number,
): Promise<{ count: number; refused: IsomorphError }> {
  for (let count = 0; ; count++) {
    const refused = await refusalOf(
      kv.put({ planId, key: String(count), value, ...(ttlS === undefined ? {} : { ttlS }) }),
    );
    if (refused !== undefined) return { count, refused };
  }
}

const LARGE = bytes('x'.repeat(4_000));

test('what is deleted makes room, what takes no more than was there goes on, and a plan’s keys go with it', async () => {
  const planId = freshPlanId();
  await kv.incr({ planId, key: 'counter', by: 9 });
  const { count, refused } = await fill(planId, LARGE);
  assert.is(refused.code, 'ERR_LIMIT');
  assert.match(refused.place.expected ?? '', 'a larger ISOMORPH_MAX_KV_BYTES');
  await kv.put({ planId, key: '0', value: bytes('y'.repeat(4_000)) });
  assert.is((await refusalOf(kv.put({ planId, key: '0', value: bytes('z'.repeat(4_001)) })))?.code, 'ERR_LIMIT');
  assert.is((await refusalOf(kv.incr({ planId, key: 'new', by: 1 })))?.code, 'ERR_LIMIT');
  assert.is(await kv.incr({ planId, key: 'counter', by: 1 }), 10);
  await kv.delete({ planId, key: 'never there' });
  await kv.delete({ planId, key: '1' });
  await kv.put({ planId, key: 'after', value: bytes('x'.repeat(3_000)) });
  await kv.purgePlan({ planId });
  for (const key of ['0', String(count - 1), 'counter', 'after']) {
    assert.is(await kv.get({ planId, key }), undefined, key);
  }
  await kv.put({ planId, key: 'fresh', value: LARGE });
  await kv.purgePlan({ planId });
});

test('keys that are smaller than their traces can be deleted and purged while others fill it, and their room comes back', async () => {
  const [planId, other] = [freshPlanId(), freshPlanId()];
  const keys = Array.from({ length: 100 }, (_, at) => `k${at}`);
  for (const key of keys) await kv.put({ planId, key, value: bytes('x') });
  await fill(other, LARGE);
  assert.is((await refusalOf(kv.put({ planId, key: 'new', value: bytes('x') })))?.code, 'ERR_LIMIT');
  await kv.delete({ planId, key: 'k0' });
  await kv.purgePlan({ planId });
  for (const key of keys) assert.is(await kv.get({ planId, key }), undefined, key);
  // Their traces stay for watchers that were away.
  while ((await refusalOf(kv.put({ planId, key: 'k0', value: bytes('again') }))) !== undefined) await delay(200);
  assert.is(text(await kv.get({ planId, key: 'k0' })), 'again');
  for (const one of [planId, other]) await kv.purgePlan({ planId: one });
});

test('keys that expire leave it by themselves, however many they are', async () => {
  const planId = freshPlanId();
  while ((await heldBytes()) > 0) await delay(200);
  // Long enough to fill it on a slow machine too.
  const { count } = await fill(planId, bytes('x'), 10);
  assert.ok(count > 1_000);
  while ((await heldBytes()) > 0) await delay(200);
  await kv.put({ planId, key: '0', value: LARGE });
  await kv.purgePlan({ planId });
});

test('another client of NATS KV that filled it to the brim: what it has can be purged, and there is room again', async () => {
  const planId = freshPlanId();
  const bucket = await new Kvm(admin).open(KV_BUCKET);
  for (let at = 0; ; at++) {
    if ((await bucket.put(`${planId}.${at}`, 'x'.repeat(8_000)).catch(() => undefined)) === undefined) break;
  }
  assert.is((await refusalOf(kv.put({ planId: freshPlanId(), key: 'ours', value: bytes('x') })))?.code, 'ERR_LIMIT');
  await kv.purgePlan({ planId });
  await kv.put({ planId: freshPlanId(), key: 'ours', value: bytes('x') });
});

test.run();
