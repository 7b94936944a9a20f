/** What one execution may have of the gateway: each limit is hit while another execution goes on beside it. */
import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import * as assert from 'uvu/assert';
import { type Gateway, startGateway } from '../../services/gateway/artifact-server.ts';
import { scratchHandler } from '../../services/gateway/scratch-handler.ts';
import { DEFAULT_TRAFFIC, Traffic, type TrafficLimits } from '../../services/gateway/traffic.ts';
import type { LimitNotice } from '../../shared/async/limit-notice.ts';
import { openKv } from '../../shared/scratch/kv/open.ts';
import { openQueue } from '../../shared/scratch/queue/open.ts';
import { SCRATCH_PATH, signToken } from '../../shared/scratch/token.ts';
import { type FileArtifactStore, openFileStore } from '../../shared/world/drivers/file/file.ts';
import { suite } from '../harness/suite.ts';

const SECRET = randomBytes(32);
const LEAST_RATE = { bytes: 1_000, withinMs: 200 };

interface Beside {
  readonly gateway: Gateway;
  readonly traffic: Traffic;
  readonly store: FileArtifactStore;
  /** Resolves when more of a limit is used. */
  nextUse(): Promise<unknown>;
  /** Limits that were hit, and whose they were. */
  hits(): string[];
}

const test = suite('traffic of the gateway');

/** A gateway with small limits; whatever the test held open ends with it. */
async function beside(
  { headMs, ...limits }: Partial<TrafficLimits> & { readonly headMs?: number },
  use: (given: Beside) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'isomorph-traffic-'));
  const [kv, queue] = await Promise.all([openKv('memory:'), openQueue('memory:')]);
  const notices: LimitNotice[] = [];
  const uses = new EventEmitter();
  const tell = (notice: LimitNotice): void => {
    notices.push(notice);
    setImmediate(() => uses.emit('use'));
  };
  const traffic = new Traffic({ limits: { ...DEFAULT_TRAFFIC, ...limits }, tell });
  const served = await openFileStore(pathToFileURL(folder));
  const scratch = scratchHandler({ kv, queue, secret: SECRET, traffic, leastRate: LEAST_RATE });
  const gateway = await startGateway({
    ...{ secret: SECRET, store: served, traffic, leastRate: LEAST_RATE },
    ...(headMs === undefined ? {} : { headMs }),
    mounts: { [SCRATCH_PATH]: scratch },
  });
  const store = await openFileStore(pathToFileURL(folder), { gatewayUrl: gateway.url, gatewaySecret: SECRET });
  const hits = () => [
    ...new Set(notices.filter(({ used, most }) => used >= most).map(({ limit, of }) => `${limit} of ${of}`)),
  ];
  try {
    await use({ gateway, traffic, store, hits, nextUse: () => once(uses, 'use') });
  } finally {
    await gateway.close();
    await Promise.all([kv.close(), queue.close(), store.close(), served.close()]);
    await rm(folder, { recursive: true, force: true });
  }
}

interface Call {
  readonly executionId: string;
  readonly method?: string;
  readonly path: string;
  readonly body?: string;
  readonly agent?: Agent;
}

/** One request on a connection of its own, unless an agent keeps it. */
function ask({ url }: Gateway, { executionId, method = 'POST', path: below, body = '', agent }: Call) {
  const [plan_id = ''] = executionId.split('.');
  const expires_s = Math.ceil(Date.now() / 1_000) + 60;
  const token = signToken({ plan_id, execution_id: executionId, scratch: ['kv', 'queue'], expires_s }, SECRET);
  const headers = { authorization: `Bearer ${token}` };
  const outgoing = request(`${url}${SCRATCH_PATH}${below}`, { method, headers, agent: agent ?? false });
  outgoing.end(body);
  const answer = once(outgoing, 'response').then(([incoming]) => incoming as IncomingMessage);
  return { outgoing, answer };
}

async function told(answer: Promise<IncomingMessage>): Promise<[status: number | undefined, code: unknown]> {
  const incoming = await answer;
  const said = await text(incoming);
  return [incoming.statusCode, said.startsWith('{') ? (JSON.parse(said) as { code?: unknown }).code : undefined];
}

/** What a harmless plan does: it puts, reads, publishes and consumes. */
async function harmless(gateway: Gateway): Promise<void> {
  const own = { executionId: 'harmless.s.1' };
  const puts = await told(ask(gateway, { ...own, method: 'PUT', path: 'kv?key=a', body: 'x' }).answer);
  assert.equal(puts, [204, undefined]);
  assert.is((await told(ask(gateway, { ...own, method: 'GET', path: 'kv?key=a' }).answer))[0], 200);
  assert.is((await told(ask(gateway, { ...own, path: 'queue/work/publish', body: 'x' }).answer))[0], 200);
  assert.is((await told(ask(gateway, { ...own, path: 'queue/work/consume' }).answer))[0], 200);
}

/** Asks for messages that do not come: in flight until the connection ends. */
async function waiting(given: Beside, executionId: string, count: number): Promise<void> {
  const before = given.traffic.inFlight;
  for (let index = 0; index < count; index++) {
    const { outgoing, answer } = ask(given.gateway, {
      executionId,
      path: 'queue/never/consume',
      body: '{"wait_s":20}',
    });
    outgoing.on('error', () => undefined);
    answer.catch(() => undefined);
  }
  while (given.traffic.inFlight < before + count) await given.nextUse();
}

test('too many requests of one execution are refused as passing, and another goes on', () =>
  beside({ inFlightOfOne: 3 }, async (given) => {
    await waiting(given, 'greedy.s.1', 3);
    const fourth = ask(given.gateway, { executionId: 'greedy.s.1', method: 'GET', path: 'kv?key=a' }).answer;
    assert.equal(await told(fourth), [429, 'ERR_BUSY']);
    assert.is((await fourth).headers['retry-after'], '1');
    await harmless(given.gateway);
    assert.equal(given.hits(), ['gateway_requests_in_flight of greedy.s.1']);
  }));

test('who fills the gateway keeps nobody out who has nothing in flight', () =>
  beside({ inFlight: 4 }, async (given) => {
    await waiting(given, 'one.s.1', 2);
    await waiting(given, 'two.s.1', 2);
    const more = ask(given.gateway, { executionId: 'one.s.1', method: 'GET', path: 'kv?key=a' }).answer;
    assert.equal(await told(more), [503, 'ERR_UNAVAILABLE']);
    await harmless(given.gateway);
  }));

test('an upload and a download of one execution are counted with its other requests', () =>
  // Whoever has an answer may ask again before the gateway has let its request go.
  beside({ inFlightOfOne: 2 }, async (given) => {
    const { store, gateway } = given;
    await store.putBytes({ worldPath: '/artifacts/a', data: Buffer.from('x'), contentType: 'text/plain' });
    await waiting(given, 'greedy.s.1', 2);
    const url = await store.presign({ worldPath: '/artifacts/a', ttlS: 60, readerId: 'greedy.s.1' });
    const upload = { uploadId: 'greedy.s.1', worldPath: '/artifacts/o', contentType: 'text/plain', maxBytes: 9 };
    const { url: putUrl } = await store.presignPut({ ...upload, ttlS: 60 });
    assert.is((await fetch(url)).status, 429);
    assert.is(
      (await fetch(putUrl, { method: 'PUT', body: 'x', headers: { 'content-type': 'text/plain' } })).status,
      429,
    );
    const other = await store.presign({ worldPath: '/artifacts/a', ttlS: 60, readerId: 'harmless.s.1' });
    assert.is(await (await fetch(other)).text(), 'x');
    await harmless(gateway);
  }));

interface Silent {
  readonly socket: Socket;
  /** The server has ended it. */
  readonly ended: Promise<unknown>;
}

/** A connection that says nothing by itself. */
async function silent({ url }: Gateway): Promise<Silent> {
  const { port, hostname } = new URL(url);
  const socket = connect(Number(port), hostname).on('error', () => undefined);
  const ended = once(socket.resume(), 'close');
  await once(socket, 'connect');
  return { socket, ended };
}

test('of too many connections those give way that never asked for anything', () =>
  beside({ connections: 20 }, async (given) => {
    await waiting(given, 'other.s.1', 2);
    const first = await silent(given.gateway);
    for (let index = 0; index < 60; index++) await silent(given.gateway);
    await first.ended;
    await harmless(given.gateway);
    assert.ok(given.traffic.connections <= 20);
    assert.is(given.traffic.inFlight, 2, 'who waited still waits');
  }));

test('of too many connections of one execution the one that rests longest is closed', () =>
  beside({ connectionsOfOne: 2 }, async (given) => {
    const agents = Array.from({ length: 5 }, () => new Agent({ keepAlive: true }));
    for (const agent of agents) {
      await told(ask(given.gateway, { executionId: 'greedy.s.1', method: 'GET', path: 'kv?key=a', agent }).answer);
    }
    assert.ok(given.traffic.connections <= 2);
    await harmless(given.gateway);
    for (const agent of agents) agent.destroy();
  }));

test('a head or a body that does not come on is ended', () =>
  beside({ headMs: 200 }, async (given) => {
    const [nothing, half] = [await silent(given.gateway), await silent(given.gateway)];
    half.socket.write('GET /artifacts/a HTTP/1.1\r\nhost: a\r\nx-slow: ');
    const store = given.store;
    const slow = { uploadId: 'slow.s.1', worldPath: '/artifacts/o', contentType: 'text/plain', maxBytes: 9_999 };
    const { url } = await store.presignPut({ ...slow, ttlS: 60 });
    const headers = { 'content-type': 'text/plain', 'content-length': '9999' };
    const outgoing = request(url, { method: 'PUT', headers, agent: false }).on('error', () => undefined);
    outgoing.write('x');
    await harmless(given.gateway);
    const answer = once(outgoing, 'response').then(([incoming]) => incoming as IncomingMessage);
    assert.equal(await told(answer), [408, 'ERR_SLOW']);
    await Promise.all([nothing.ended, half.ended]);
    assert.is(await store.statUpload(slow), undefined);
    outgoing.destroy();
  }));

test('who takes all that one may have is slowed down, and nobody else is', () =>
  beside({ bytesPerSOfOne: 64 * 1024 }, async (given) => {
    const { store, gateway } = given;
    const size = 16 * 2 ** 20;
    await store.putBytes({ worldPath: '/artifacts/a', data: new Uint8Array(size), contentType: 'text/plain' });
    const url = await store.presign({ worldPath: '/artifacts/a', ttlS: 60, readerId: 'greedy.s.1' });
    const outgoing = request(url, { agent: false }).end();
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    let received = 0;
    incoming.on('data', (chunk: Uint8Array) => {
      received += chunk.byteLength;
    });
    for (let index = 0; index < 5; index++) await harmless(gateway);
    assert.ok(received < size);
    assert.ok(given.hits().includes('gateway_bytes_per_s of greedy.s.1'));
    outgoing.on('error', () => undefined).destroy();
  }));

test.run();
