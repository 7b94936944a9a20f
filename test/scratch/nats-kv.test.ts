/** KV of plans is a bucket of NATS KV: the other side here has nothing but `@nats-io/kv`. */
import { setTimeout as sleep } from 'node:timers/promises';
import { jetstream, jetstreamManager, type StreamAPI } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { ensureTopology } from '../../services/setup/topology.ts';
import { connectNats } from '../../shared/nats/connect.ts';
import type { Kv } from '../../shared/scratch/kv/kv.ts';
import { openKv } from '../../shared/scratch/kv/open.ts';
import { kvKey } from '../../shared/wire/scratch-kv.ts';
import { suite } from '../harness/suite.ts';
import { bytes, freshPlanId, text } from './conformance.ts';
import { NatsForTests } from './nats-server.ts';

const test = suite('nats: a bucket of NATS KV');
const LOOK_AGAIN_MS = 50;
const server = new NatsForTests();
let connection: NatsConnection;
let bucket: KV;
let streams: StreamAPI;
let kv: Kv;

test.before(async () => {
  await server.start();
  connection = await connectNats({ url: server.url, name: 'foreign' });
  streams = (await jetstreamManager(connection)).streams;
  bucket = await new Kvm(connection).open('SCRATCH');
  kv = await openKv(server.url);
});

test.after(async () => {
  await Promise.all([kv.close(), connection.close()]);
  await server.stop();
});

/** Keys of ours that NATS KV takes as they are. */
const PLAIN = ['a', 'A', 'a.b', 'users/42', '-_=', 'a=', '__proto__', 'k'.repeat(512), `${'a.'.repeat(255)}aa`];
const ENCODED = [
  '=',
  '=YQ',
  '.',
  '..',
  'a..b',
  '.a',
  'a.',
  '*',
  'a.*',
  'a.>',
  'with space',
  'a\n',
  '\u0000',
  'é',
  'e\u0301',
  'ключ',
  '🔑'.repeat(128),
];

/** As docs/scratch.md tells it. */
const decoded = (token: string): string =>
  token.startsWith('=') ? Buffer.from(token.slice(1), 'base64url').toString() : token;

test('a key that NATS KV takes is the same key on both sides, after the plan and a dot', async () => {
  const planId = freshPlanId();
  for (const key of PLAIN) {
    await kv.put({ planId, key, value: bytes('ours') });
    assert.is((await bucket.get(`${planId}.${key}`))?.string(), 'ours', key);
    await bucket.put(`${planId}.${key}`, 'theirs');
    assert.is(text(await kv.get({ planId, key })), 'theirs', key);
  }
});

test('any other key is the base64url of its UTF-8 after an equals sign', async () => {
  const planId = freshPlanId();
  for (const key of ENCODED) {
    const name = `${planId}.=${Buffer.from(key).toString('base64url')}`;
    await kv.put({ planId, key, value: bytes('ours') });
    assert.is((await bucket.get(name))?.string(), 'ours', JSON.stringify(key));
    await bucket.put(name, 'theirs');
    assert.is(text(await kv.get({ planId, key })), 'theirs', JSON.stringify(key));
  }
});

test('the keys of a bucket tell the keys of a plan', async () => {
  const planId = freshPlanId();
  const keys = [...PLAIN, ...ENCODED];
  for (const key of keys) await kv.put({ planId, key, value: bytes('v') });
  const found: string[] = [];
  for await (const name of await bucket.keys(`${planId}.>`)) found.push(decoded(name.slice(planId.length + 1)));
  assert.equal(found.sort(), keys.sort());
});

test('every text is a key that NATS KV takes, and tells the text', () => {
  const letters = fc.constantFrom('a', 'A', '0', '.', '=', '-', '_', '/', '*', '>', ' ', '\n', '+', 'é', '🔑');
  const key = fc.oneof(fc.string({ unit: letters, minLength: 1 }), fc.string({ unit: 'binary', minLength: 1 }));
  fc.assert(
    fc.property(key, (at) => {
      const name = kvKey('p', at);
      assert.match(name, /^p(?:\.[-/=\w]+)+$/);
      assert.is(decoded(name.slice(2)), at);
    }),
    { numRuns: 2_000, examples: [...PLAIN, ...ENCODED].map((at): [string] => [at]) },
  );
});

/** What a watcher of the plan hears until there are `count` entries, `change` having been made. */
async function heard(planId: string, count: number, change: () => Promise<unknown>): Promise<string[]> {
  const watch = await bucket.watch({ key: `${planId}.>` });
  await change();
  const entries: string[] = [];
  for await (const entry of watch) {
    entries.push(`${entry.operation} ${entry.key.slice(planId.length + 1)} ${entry.string()}`.trimEnd());
    if (entries.length === count) break;
  }
  return entries;
}

test('a watcher hears what we put, count and delete', async () => {
  const planId = freshPlanId();
  const entries = await heard(planId, 5, async () => {
    await kv.put({ planId, key: 'k', value: bytes('1') });
    await kv.put({ planId, key: 'k', value: bytes('2'), ttlS: 3_600 });
    await kv.incr({ planId, key: 'k', by: 5 });
    await kv.delete({ planId, key: 'k' });
    await kv.incr({ planId, key: 'k', ttlS: 3_600 });
  });
  assert.equal(entries, ['PUT k 1', 'PUT k 2', 'PUT k 7', 'DEL k', 'PUT k 1']);
});

test('a watcher hears that a key expired, and that the plan was purged', async () => {
  const planId = freshPlanId();
  const expired = await heard(planId, 2, () => kv.put({ planId, key: 'k', value: bytes('v'), ttlS: 1 }));
  assert.equal(expired, ['PUT k v', 'PURGE k']);
  assert.is(await kv.get({ planId, key: 'k' }), undefined);
  assert.is(await kv.incr({ planId, key: 'k' }), 1, 'the mark counts as nothing');
  const purged = await heard(planId, 3, () => kv.purgePlan({ planId }));
  assert.equal(purged.slice(1), ['DEL k', 'PURGE k'], 'our mark, and that of the server where it ends');
});

test('what another client deletes or purges is absent, and counts from 0', async () => {
  const planId = freshPlanId();
  for (const end of ['delete', 'purge'] as const) {
    assert.is(await kv.incr({ planId, key: end, by: 7 }), 7);
    await bucket[end](`${planId}.${end}`);
    assert.is(await kv.get({ planId, key: end }), undefined);
    assert.is(await kv.incr({ planId, key: end }), 1);
  }
});

test('both sides count on one key, each by the revision that it read', async () => {
  const planId = freshPlanId();
  const name = `${planId}.n`;
  await bucket.create(name, '41');
  assert.is(await kv.incr({ planId, key: 'n' }), 42);
  const read = await bucket.get(name);
  assert.is(await kv.incr({ planId, key: 'n' }), 43);
  const stale = bucket.update(name, '0', read?.revision ?? 0);
  assert.is(
    await stale.then(
      () => 'written',
      () => 'refused',
    ),
    'refused',
  );
  await bucket.put(name, '100');
  assert.is(await kv.incr({ planId, key: 'n' }), 101, 'what was remembered is out of date');
  assert.is((await bucket.get(name))?.string(), '101');
});

test('incr keeps the time to live that another client gave, however it is written', async () => {
  const planId = freshPlanId();
  for (const ttl of ['600', '600s', '10m', '0h9m60s', '600000ms']) {
    const name = `${planId}.${ttl}`;
    await bucket.create(name, '1', ttl);
    const began = (await bucket.get(name))?.created.getTime() ?? Number.NaN;
    assert.is(await kv.incr({ planId, key: ttl }), 2);
    const { header } = (await streams.getMessage('KV_SCRATCH', { last_by_subj: `$KV.SCRATCH.${name}` })) ?? {};
    assert.is(Number(header?.get('Isomorph-Expires')), began + 600_000, ttl);
    assert.match(header?.get('Nats-TTL') ?? '', /^\d+s$/, 'the server removes it');
  }
  await bucket.create(`${planId}.never`, '1', 'never');
  assert.is(await kv.incr({ planId, key: 'never' }), 2);
});

test('a clock of ours that is wrong ends nothing early', async () => {
  const planId = freshPlanId();
  const { now } = Date;
  Date.now = () => now() + 3_600_000;
  try {
    const fast = await openKv(server.url);
    await fast.put({ planId, key: 'put', value: bytes('v'), ttlS: 60 });
    await fast.incr({ planId, key: 'counted', ttlS: 60 });
    await fast.incr({ planId, key: 'counted' });
    assert.is(text(await fast.get({ planId, key: 'put' })), 'v');
    assert.is(text(await fast.get({ planId, key: 'counted' })), '2');
    await fast.close();
  } finally {
    Date.now = now;
  }
  assert.is(text(await kv.get({ planId, key: 'counted' })), '2');
});

test('a purge leaves no key, no mark and nothing that another client wrote', async () => {
  const planId = freshPlanId();
  const other = `${planId}-x`;
  const subjectsOf = async (plan: string): Promise<string[]> =>
    Object.keys((await streams.info('KV_SCRATCH', { subjects_filter: `$KV.SCRATCH.${plan}.>` })).state.subjects ?? {});
  for (const key of [...PLAIN, ...ENCODED]) await kv.put({ planId, key, value: bytes('v') });
  await kv.put({ planId, key: 'short', value: bytes('v'), ttlS: 1 });
  await kv.delete({ planId, key: 'a' });
  await bucket.delete(`${planId}.theirs`);
  // No key of NATS KV, but nothing stops it from being published.
  await jetstream(connection).publish(`$KV.SCRATCH.${planId}.clé`, 'v');
  await kv.put({ planId: other, key: 'a', value: bytes('stays') });
  await kv.purgePlan({ planId });
  while ((await subjectsOf(planId)).length > 0) await sleep(LOOK_AGAIN_MS);
  assert.equal(await subjectsOf(other), [`$KV.SCRATCH.${other}.a`]);
});

test('setup makes the bucket by ADR-8, and removes the stream that came before it', async () => {
  const admin = await connectNats({ url: server.adminUrl, name: 'admin' });
  await (await jetstreamManager(admin)).streams.add({ name: 'SCRATCH_KV', subjects: ['scratch.kv.>'] });
  await ensureTopology(admin);
  const names: string[] = [];
  for await (const name of streams.names()) names.push(name);
  assert.not(names.includes('SCRATCH_KV'));
  const status = await bucket.status();
  assert.is(status.bucket, 'SCRATCH');
  assert.is(status.history, 1);
  assert.ok(status.markerTTL >= 1_000);
  const { config } = status.streamInfo;
  assert.equal(config.subjects, ['$KV.SCRATCH.>']);
  assert.is(config.discard, 'new');
  assert.is(config.allow_rollup_hdrs, true);
  assert.is(config.allow_msg_ttl, true);
  assert.is(config.deny_delete, true);
  assert.is(config.allow_direct, false, 'reads are the leader’s');
  await admin.close();
});

test.run();
