import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import * as assert from 'uvu/assert';
import { parseRedisUrl } from '../../shared/providers/redis/location.ts';
import type { Kv } from '../../shared/scratch/kv/kv.ts';
import { openKv } from '../../shared/scratch/kv/open.ts';
import { openQueue } from '../../shared/scratch/queue/open.ts';
import type { Queue } from '../../shared/scratch/queue/queue.ts';
import { freeLoopbackPort } from '../../stack/process.ts';
import { available, type RunningServer, startRedis } from '../harness/servers/index.ts';
import { suite } from '../harness/suite.ts';
import { bytes, freshPlanId, refused, text } from './conformance.ts';
import { assertEmpty, assertStats, next, publish, TOPIC } from './queue-steps.ts';
import { Relay } from './relay.ts';

const found = await available('redis-server');

const urls = suite('redis URLs');

urls('name one server, or several nodes of a cluster', () => {
  const at = parseRedisUrl(new URL('rediss://me:p%40ss@h1:7000/3?prefix=x'));
  assert.equal(at, {
    ...{ nodes: [{ host: 'h1', port: 7000 }], isCluster: false, isTls: true, username: 'me', password: 'p@ss' },
    ...{ db: 3, prefix: 'x', caFile: undefined },
  });
  const cluster = parseRedisUrl(new URL('redis://h1,h2?cluster=true&node=h3:7003&node=[::1]:7004'));
  assert.equal(cluster.nodes, [
    { host: 'h1', port: 6379 },
    { host: 'h2', port: 6379 },
    { host: 'h3', port: 7003 },
    { host: '::1', port: 7004 },
  ]);
});

urls('that cannot be meant are refused, without repeating the password', async () => {
  const wrong = ['redis:', 'redis://h1,h2', 'redis://h/x', 'redis://h/1?cluster=true', 'redis://h?cluster=yes'];
  wrong.push('redis://h?unknown=1', 'redis://h?prefix=a{b', 'redis://h?node=h:99999&cluster=true');
  for (const url of wrong) {
    const withSecret = url.replace('redis://', 'redis://:secret@');
    const error = await refused((async () => parseRedisUrl(new URL(withSecret)))(), 'ERR_CONFIG', url);
    assert.not.match(JSON.stringify(error.toFault()), 'secret');
  }
});

urls.run();

const test = suite('redis driver');
test.skipUnless(found.ok, found.ok ? '' : found.reason);

let server: RunningServer;
let relay: Relay;
let kv: Kv;
let queue: Queue;
test.before(async () => {
  [server, relay] = [await startRedis(), new Relay()];
  relay.targetPort = server.port;
  const url = `redis://${await relay.listen()}`;
  [kv, queue] = await Promise.all([openKv(url), openQueue(url, { maxDeliveries: 3 })]);
});
test.after(async () => {
  await Promise.all([kv.close(), queue.close()]);
  await relay.close();
  await server.stop();
});

/** Does a call whose effect happens and whose answer never comes. */
async function withoutAnswer(call: () => Promise<unknown>): Promise<void> {
  relay.cutsAnswers = true;
  try {
    await refused(call(), 'ERR_UNAVAILABLE', 'a call without an answer');
  } finally {
    relay.cutsAnswers = false;
  }
}

test('an incr whose answer is lost is reported, and never counted twice', async () => {
  const planId = freshPlanId();
  assert.is(await kv.incr({ planId, key: 'k' }), 1);
  await withoutAnswer(() => kv.incr({ planId, key: 'k' }));
  assert.is(await kv.incr({ planId, key: 'k' }), 3);
});

test('an ack whose answer is lost is not reported as a success', async () => {
  const planId = freshPlanId();
  await publish(queue, planId, 'x');
  const { receiptHandle } = await next(queue, planId);
  await withoutAnswer(() => queue.ack({ planId, topic: TOPIC, receiptHandle }));
  await refused(queue.ack({ planId, topic: TOPIC, receiptHandle }), 'ERR_RECEIPT');
  await assertStats(queue, planId, {});
});

test('a publish whose answer is lost can be repeated with its key', async () => {
  const planId = freshPlanId();
  await withoutAnswer(() => publish(queue, planId, 'x', { idempotencyKey: 'k' }));
  const id = await publish(queue, planId, 'x', { idempotencyKey: 'k' });
  assert.is((await next(queue, planId)).id, id);
  await assertEmpty(queue, planId);
});

test('clients work on after the server was replaced, and forget what it forgot', async () => {
  const planId = freshPlanId();
  await publish(queue, planId, 'lost');
  const { receiptHandle } = await next(queue, planId);
  await server.stop();
  await refused(kv.put({ planId, key: 'k', value: bytes('x') }), 'ERR_UNAVAILABLE');
  server = await startRedis();
  relay.targetPort = server.port;
  await refused(queue.ack({ planId, topic: TOPIC, receiptHandle }), 'ERR_RECEIPT');
  await publish(queue, planId, 'new');
  assert.is(text((await next(queue, planId)).body), 'new');
});

test('scripts that the server has forgotten are sent again', async () => {
  const planId = freshPlanId();
  await kv.incr({ planId, key: 'k' });
  const admin = new Redis(server.url);
  await admin.script('FLUSH');
  assert.is(await kv.incr({ planId, key: 'k' }), 2);
  admin.disconnect();
});

test('nothing of a plan is left after both purges', async () => {
  const planId = freshPlanId();
  await kv.put({ planId, key: 'k', value: bytes('x') });
  await publish(queue, planId, 'x', { idempotencyKey: 'k' });
  await publish(queue, planId, 'y', { delayS: 60 });
  await next(queue, planId);
  const admin = new Redis(server.url);
  const keysOfPlan = () => admin.keys(`*{${planId}}*`);
  assert.ok((await keysOfPlan()).length >= 5);
  await Promise.all([kv.purgePlan({ planId }), queue.purgePlan({ planId })]);
  assert.equal(await keysOfPlan(), []);
  admin.disconnect();
});

test('a server full to its limit is ERR_UNAVAILABLE, and what it holds can be taken', async () => {
  const full = await startRedis(['--maxmemory-policy', 'noeviction']);
  const own = await openQueue(full.url, { retry: { attempts: 1 } });
  const planId = freshPlanId();
  await publish(own, planId, 'x');
  const admin = new Redis(full.url);
  await admin.config('SET', 'maxmemory', '1');
  await refused(publish(own, planId, 'y'), 'ERR_UNAVAILABLE');
  await admin.config('SET', 'maxmemory', '0');
  assert.is(text((await next(own, planId)).body), 'x');
  admin.disconnect();
  await own.close();
  await full.stop();
});

test('TLS with a certificate of one’s own, a user and a password; a wrong password is ERR_CONFIG', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'isomorph-redis-tls-'));
  const [key, cert, port] = [join(dir, 'key.pem'), join(dir, 'cert.pem'), await freeLoopbackPort()];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const made = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', cert];
  await promisify(execFile)('openssl', [...made, ...subject]);
  const files = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert];
  const user = ['--user', 'me', 'on', '>pass', '~*', '&*', '+@all'];
  const own = await startRedis(['--tls-port', `${port}`, '--tls-auth-clients', 'no', ...files, ...user]);
  const at = (credentials: string) => `rediss://${credentials}@localhost:${port}?ca=${encodeURIComponent(cert)}`;
  try {
    const secure = await openKv(at('me:pass'));
    assert.is(await secure.incr({ planId: freshPlanId(), key: 'k' }), 1);
    await secure.close();
    await refused(openKv(at('me:wrong')), 'ERR_CONFIG', 'a wrong password');
    await refused(openKv(at('me:pass').replace('?ca=', '?ca=%2Fnowhere')), 'ERR_CONFIG', 'no file');
    await refused(openKv(`rediss://localhost:${port}`), 'ERR_UNAVAILABLE', 'a certificate nobody knows');
  } finally {
    await own.stop();
    await rm(dir, { recursive: true });
  }
});

test('a server that is not there is ERR_UNAVAILABLE', async () => {
  await refused(openKv('redis://127.0.0.1:9'), 'ERR_UNAVAILABLE');
  await refused(openQueue('redis://127.0.0.1:9?cluster=true'), 'ERR_UNAVAILABLE');
});

test('a server that takes all and says nothing is ERR_UNAVAILABLE', async () => {
  const limits = { timeoutMs: 300, retry: { attempts: 1 } };
  const silent = new Relay();
  silent.targetPort = server.port;
  const url = `redis://${await silent.listen()}`;
  const own = await openKv(url, limits);
  silent.isSilent = true;
  await refused(own.get({ planId: freshPlanId(), key: 'k' }), 'ERR_UNAVAILABLE', 'a get');
  await refused(openKv(url, limits), 'ERR_UNAVAILABLE', 'opening');
  await own.close();
  await silent.close();
});

test.run();
