import { randomBytes } from 'node:crypto';
import * as assert from 'uvu/assert';
import { type Gateway, startGateway } from '../../services/gateway/artifact-server.ts';
import { scratchHandler } from '../../services/gateway/scratch-handler.ts';
import { openKv } from '../../shared/scratch/kv/open.ts';
import { openQueue } from '../../shared/scratch/queue/open.ts';
import { SCRATCH_PATH, type ScratchGrant, signToken, verifyToken } from '../../shared/scratch/token.ts';
import { scrubCredentials } from '../../shared/text/scrub-credentials.ts';
import { suite } from '../harness/suite.ts';

const NOW_MS = 1_800_000_000_000;
const SECRET = randomBytes(32);
const GRANT: ScratchGrant = {
  plan_id: 'p',
  execution_id: 'p.s.1',
  scratch: ['kv', 'queue'],
  expires_s: NOW_MS / 1_000 + 60,
};

const test = suite('scratch gateway');

let nowMs = NOW_MS;
let gateway: Gateway;
const defects: unknown[] = [];
const [kv, queue] = await Promise.all([openKv('memory:'), openQueue('memory:')]);

test.before(async () => {
  const options = { kv, queue, secret: SECRET, nowMs: () => nowMs, onError: (error: unknown) => defects.push(error) };
  gateway = await startGateway({ secret: SECRET, mounts: { [SCRATCH_PATH]: scratchHandler(options) } });
});
test.before.each(() => {
  nowMs = NOW_MS;
});
test.after(async () => {
  await Promise.all([gateway.close(), kv.close(), queue.close()]);
});

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly document: Record<string, unknown>;
}

async function call(
  method: string,
  path: string,
  body?: unknown,
  grant: ScratchGrant | string = GRANT,
): Promise<Answer> {
  const token = typeof grant === 'string' ? grant : signToken(grant, SECRET);
  const answer = await fetch(`${gateway.url}${SCRATCH_PATH}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}` },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  const isJson = answer.headers.get('content-type') === 'application/json';
  return { status: answer.status, text, document: isJson ? JSON.parse(text) : {} };
}

const told = ({ status, document }: Answer): unknown[] => [status, document.code];

test('keys of any text are put, read, counted and deleted', async () => {
  for (const key of ['a', 'ünï/cödé 🐧', '.', '..', 'a?b#c&d=e+f%2Fg']) {
    const at = `kv?key=${encodeURIComponent(key)}`;
    assert.equal(told(await call('GET', at)), [404, 'ERR_NOT_FOUND'], key);
    assert.is((await call('PUT', at, 'one')).status, 204);
    assert.is((await call('GET', at)).text, 'one', key);
    assert.is((await call('DELETE', at)).status, 204);
    assert.equal((await call('POST', at)).document, { value: 1 });
    assert.equal((await call('POST', at, { by: 41 })).document, { value: 42 });
  }
});

test('a message is published, consumed, put back and acked', async () => {
  const published = await call('POST', 'queue/work/publish?idempotency_key=k', 'body');
  assert.equal((await call('POST', 'queue/work/publish?idempotency_key=k', 'body')).document, published.document);
  const [first] = (await call('POST', 'queue/work/consume', { max_messages: 5 })).document.messages as Record<
    string,
    string
  >[];
  assert.equal([first?.id, first?.body], [published.document.id, Buffer.from('body').toString('base64')]);
  const returned = await call('POST', 'queue/work/nack', { receipt_handle: first?.receipt_handle, reason: 'again' });
  assert.is(returned.status, 204);
  assert.equal(told(await call('POST', 'queue/work/ack', { receipt_handle: first?.receipt_handle })), [
    409,
    'ERR_RECEIPT',
  ]);
  const [second] = (await call('POST', 'queue/work/consume')).document.messages as Record<string, string>[];
  assert.is(second?.deliveries, 2);
  assert.is((await call('POST', 'queue/work/ack', { receipt_handle: second?.receipt_handle })).status, 204);
  assert.equal((await call('GET', 'queue/work')).document, { ready: 0, in_flight: 0, delayed: 0, dead: 0 });
});

test('a plan sees its own keys and messages only', async () => {
  const other = { ...GRANT, plan_id: 'other' };
  await call('PUT', 'kv?key=mine', 'x');
  await call('POST', 'queue/mine/publish', 'x');
  assert.is((await call('GET', 'kv?key=mine', undefined, other)).status, 404);
  assert.equal((await call('POST', 'queue/mine/consume', undefined, other)).document, { messages: [] });
});

test('a token is good until it expires, for what the processor declares, and as it was signed', async () => {
  const refused = [403, 'ERR_TOKEN_REFUSED'];
  const token = signToken(GRANT, SECRET);
  const [payload = '', signature = ''] = token.split('.');
  const forged = Buffer.from(JSON.stringify({ ...GRANT, plan_id: 'other' })).toString('base64url');
  const bad = [
    '',
    'isoscratch_',
    `isoscratch_${forged}.${signature}`,
    `${payload}.`,
    `${token}A`,
    signToken(GRANT, randomBytes(32)),
  ];
  for (const one of bad) assert.equal(told(await call('GET', 'kv?key=a', undefined, one)), refused, one);
  const kvOnly: ScratchGrant = { ...GRANT, scratch: ['kv'] };
  assert.equal(told(await call('GET', 'queue/work', undefined, kvOnly)), refused);
  assert.is((await call('GET', 'kv?key=none', undefined, kvOnly)).status, 404);
  nowMs += 59_999;
  assert.is((await call('GET', 'kv?key=none')).status, 404);
  nowMs += 1;
  assert.equal(told(await call('GET', 'kv?key=none')), refused);
});

test('bad input is refused with its place, and what is no call with 404', async () => {
  const cases: [method: string, path: string, body: unknown, status: number, code: string, pointer?: string][] = [
    ['PUT', 'kv?key=', 'x', 400, 'ERR_SCHEMA', '/key'],
    ['PUT', 'kv?key=a&ttl_s=soon', 'x', 400, 'ERR_SCHEMA', '/ttl_s'],
    ['PUT', 'kv?key=a', 'x'.repeat(kv.capabilities.maxValueBytes + 1), 413, 'ERR_TOO_LARGE'],
    ['POST', 'kv?key=a', 'no json', 400, 'ERR_NOT_JSON'],
    ['POST', 'kv?key=a', { by: 0.5 }, 400, 'ERR_SCHEMA', '/by'],
    ['PATCH', 'kv?key=a', undefined, 404, 'ERR_NOT_FOUND'],
    ['POST', 'queue/UPPER/publish', 'x', 400, 'ERR_SCHEMA', '/topic'],
    ['POST', 'queue/work/consume', { max_messages: 1_000 }, 400, 'ERR_SCHEMA', '/maxMessages'],
    ['POST', 'queue/work/consume', { max: 1 }, 400, 'ERR_SCHEMA', '/max'],
    ['POST', 'queue/work/ack', {}, 400, 'ERR_SCHEMA', ''],
    ['POST', 'queue/work/peek', {}, 404, 'ERR_NOT_FOUND'],
    ['GET', 'queue/work/publish/more', undefined, 404, 'ERR_NOT_FOUND'],
  ];
  for (const [method, path, body, status, code, pointer] of cases) {
    const answer = await call(method, path, body);
    assert.equal([...told(answer), pointer], [status, code, answer.document.pointer ?? pointer], `${method} ${path}`);
  }
});

test('a defect is told to the operator, not to the processor', async () => {
  await call('PUT', 'kv?key=text', 'no number');
  assert.equal(told(await call('POST', 'kv?key=text')), [400, 'ERR_SCHEMA']);
  const broken = scratchHandler({
    secret: SECRET,
    nowMs: () => NOW_MS,
    kv: Object.assign(await openKv('memory:'), { get: () => Promise.reject(new Error('password hunter2')) }),
    onError: (error) => defects.push(error),
  });
  const other = await startGateway({ secret: SECRET, mounts: { [SCRATCH_PATH]: broken } });
  try {
    const headers = { authorization: `Bearer ${signToken(GRANT, SECRET)}` };
    const answer = await fetch(`${other.url}${SCRATCH_PATH}kv?key=a`, { headers });
    assert.equal([answer.status, await answer.json()], [500, { code: 'ERR_INTERNAL', message: 'a defect' }]);
    assert.match(String(defects.at(-1)), /hunter2/);
    const none = await fetch(`${other.url}${SCRATCH_PATH}queue/work`, { headers });
    assert.is(none.status, 501, 'no queue is configured there');
  } finally {
    await other.close();
  }
});

test('what the gateway does not mount is refused as ever', async () => {
  assert.is((await fetch(`${gateway.url}/artifacts/a`)).status, 403);
});

test('a token is taken out of whatever is logged or stored', () => {
  const token = signToken(GRANT, SECRET);
  assert.is(scrubCredentials(`Bearer ${token}, "${token}"`), 'Bearer isoscratch_REDACTED, "isoscratch_REDACTED"');
  assert.ok(verifyToken(token, SECRET, NOW_MS) !== undefined);
});

test.run();
