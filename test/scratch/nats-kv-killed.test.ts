/** What has ended in the bucket stays ended when the server is killed: it does not write down by itself what made room for what. */
import { setTimeout as sleep } from 'node:timers/promises';
import { jetstreamManager, type StreamAPI } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import * as assert from 'uvu/assert';
import { connectNats } from '../../shared/nats/connect.ts';
import type { Kv } from '../../shared/scratch/kv/kv.ts';
import { openKv } from '../../shared/scratch/kv/open.ts';
import { suite } from '../harness/suite.ts';
import { bytes, freshPlanId, text } from './conformance.ts';
import { NatsForTests } from './nats-server.ts';

const test = suite('nats: the bucket of a server that was killed');
const LOOK_AGAIN_MS = 50;
const server = new NatsForTests();
let connection: NatsConnection;
let streams: StreamAPI;
let kv: Kv;

test.before(async () => {
  await server.start();
  connection = await connectNats({ url: server.url, name: 'foreign' });
  streams = (await jetstreamManager(connection)).streams;
  kv = await openKv(server.url);
});

test.after(async () => {
  await Promise.all([kv.close(), connection.close()]);
  await server.stop();
});

const keys = ['a', 'b', 'c'];

const subjectsOf = async (planId: string): Promise<string[]> => {
  const { state } = await streams.info('KV_SCRATCH', { subjects_filter: `$KV.SCRATCH.${planId}.>` });
  return Object.keys(state.subjects ?? {});
};

/** Whether the marks that ended them have ended too, so that only those of the server stand. */
const isMarkedByServer = async (planId: string): Promise<boolean> => {
  const marks = keys.map((key) => streams.getMessage('KV_SCRATCH', { last_by_subj: `$KV.SCRATCH.${planId}.${key}` }));
  return (await Promise.all(marks)).every((mark) => mark?.header?.has('Nats-Marker-Reason') === true);
};

const valuesOf = async (planId: string): Promise<(string | undefined)[]> =>
  Promise.all(keys.map(async (key) => text(await kv.get({ planId, key }))));

const NOTHING = keys.map(() => undefined);

for (const [name, end] of [
  ['a plan that was purged', (planId: string) => kv.purgePlan({ planId })],
  ['values that expired', (planId: string) => putAll(planId, 'newer', 1)],
] as const) {
  test(`${name} has no value again, killed while marks stand or when nothing stands any more`, async () => {
    const [planId, other] = [freshPlanId(), freshPlanId()];
    await putAll(other, 'stays');
    await putAll(planId, 'older');
    await putAll(planId, 'old');
    await end(planId);
    while (!(await isMarkedByServer(planId))) await sleep(LOOK_AGAIN_MS);
    await server.restart();
    assert.equal(await valuesOf(planId), NOTHING);
    while ((await subjectsOf(planId)).length > 0) await sleep(LOOK_AGAIN_MS);
    await server.restart();
    assert.equal(await valuesOf(planId), NOTHING);
    assert.equal(await valuesOf(other), ['stays', 'stays', 'stays']);
  });
}

async function putAll(planId: string, value: string, ttlS?: number): Promise<void> {
  for (const key of keys) await kv.put({ planId, key, value: bytes(value), ...(ttlS === undefined ? {} : { ttlS }) });
}

test.run();
