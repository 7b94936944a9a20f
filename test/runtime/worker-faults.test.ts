import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { NatsConnection } from '@nats-io/transport-node';
import * as assert from 'uvu/assert';
import { serveProcessors } from '../../processors/sdk/index.ts';
import { connectNats } from '../../shared/nats/connect.ts';
import type { Assignment, RunHandle, RuntimeAdapter } from '../../shared/runtime/runtime.ts';
import { type Ended, fromWorker, type Offer, toWorker, toWorkers } from '../../shared/wire/workers.ts';
import { suite } from '../harness/suite.ts';
import { HandWorker } from './hand-worker.ts';
import { whenBegun } from './results.ts';
import { assignment } from './worker-assignment.ts';
import { startWorkerServer, type WorkerServer } from './worker-under-test.ts';

const test = suite('worker runtime: what goes wrong');

let its: WorkerServer;
let gate: Server;
const waiting: (() => void)[] = [];

test.before(async () => {
  its = await startWorkerServer();
  // What waits for an answer ends when the test opens the gate.
  gate = createServer((_, response) => waiting.push(() => response.end()));
  await once(gate.listen(0, '127.0.0.1'), 'listening');
});
test.after(async () => {
  gate.close();
  await its.stop();
});

const gateUrl = (): string => `http://127.0.0.1:${(gate.address() as AddressInfo).port}/`;
const openGate = (): void => {
  for (const open of waiting.splice(0)) open();
};

const connections: NatsConnection[] = [];

async function asWorker(): Promise<NatsConnection> {
  const connection = await connectNats({ url: its.urls.worker, name: 'test-worker', waitMs: 30_000 });
  connections.push(connection);
  return connection;
}

test.after.each(async () => {
  for (const connection of connections.splice(0)) await connection.close();
  await its.endWorkers();
});

/** A run that has surely begun. */
async function begun(runtime: RuntimeAdapter, one: Assignment): Promise<RunHandle> {
  const { handle, begun } = await whenBegun(runtime, one);
  await begun;
  return handle;
}

/** Nobody listens for offers there any more. */
async function takesNoMore(id: string): Promise<void> {
  for (;;) {
    const asked = its.core.request(toWorker('test', id, 'offer'), '{}', { timeout: 30_000 });
    const isGone = await asked.then(
      () => false,
      () => true,
    );
    if (isGone) return;
  }
}

test('a worker that is asked to end takes no more and ends what it has', async () => {
  const runtime = its.runtime();
  const first = await its.startWorker();
  const under = await begun(runtime, assignment('test/actor@1', { mode: 'until told', url: gateUrl() }));
  await its.startWorker({ version: '2.0.0' });
  first.child.kill('SIGTERM');
  await takesNoMore(first.id);
  const { ranBy } = await (await runtime.run(assignment())).wait();
  assert.is(ranBy?.versions.worker, 'actor 2.0.0');
  openGate();
  const result = await under.wait();
  assert.equal(result.outcome, { kind: 'exited', exitCode: 0 });
  await runtime.forget(under.executionId);
  assert.equal(await first.exited, [0, null]);
});

test('a run whose worker dies is lost, and nobody knows how long it ran', async () => {
  const runtime = its.runtime();
  const { child } = await its.startWorker();
  const handle = await begun(runtime, assignment('test/actor@1', { mode: 'hang' }));
  child.kill('SIGKILL');
  const { outcome, durationMs } = await handle.wait();
  assert.equal([outcome.kind, durationMs], ['lost', null]);
});

test('a function past its deadline keeps its slot, and its plan does not wait for it', async () => {
  const runtime = its.runtime();
  await its.startWorker({ slots: 1 });
  const stuck = await begun(runtime, assignment('test/actor@1', { mode: 'stubborn' }, 5_000));
  assert.equal((await stuck.wait()).outcome, { kind: 'timed_out' });
  // Nobody takes it: its slot is still taken.
  const next = await runtime.run(assignment('test/actor@1', {}, 5_000));
  const { outcome, log } = await next.wait();
  assert.equal([outcome.kind, log.byteLength], ['timed_out', 0]);
});

test('what waits for a free slot can be killed, and waits no more', async () => {
  const runtime = its.runtime();
  const worker = await HandWorker.serve({
    connection: await asWorker(),
    ref: 'busy/always@1',
    onOffer: (_, __, message) => message.respond('{"v":1,"answer":"busy"}'),
  });
  const one = assignment('busy/always@1');
  const running = runtime.run(one);
  while (worker.offers.length < 2) await new Promise((resolve) => setImmediate(resolve));
  await runtime.kill(one.executionId);
  assert.equal((await (await running).wait()).outcome, { kind: 'killed' });
  const [first, second] = worker.offers.map(({ timeout_ms }) => timeout_ms);
  assert.ok((second ?? 0) < (first ?? 0), 'what is left of its time is that of each offer');
});

test('what is killed while it is on offer is offered to nobody else', async () => {
  const runtime = its.runtime();
  const one = assignment('slow/answer@1');
  let killed: Promise<void> | undefined;
  const connection = await asWorker();
  const offered: string[] = [];
  for (const id of ['firstworker', 'otherworker']) {
    await HandWorker.serve({
      connection,
      ref: 'slow/answer@1',
      id,
      onOffer: (_, __, message) => {
        offered.push(id);
        killed = runtime.kill(one.executionId);
        message.respond('{"v":1,"answer":"busy"}');
      },
    });
  }
  assert.equal((await (await runtime.run(one)).wait()).outcome, { kind: 'killed' });
  await killed;
  assert.is(offered.length, 1);
});

test('a job that is larger than a message may be fails, and says why', async () => {
  const runtime = its.runtime();
  await HandWorker.serve({ connection: await asWorker(), ref: 'large/job@1' });
  const large = assignment('large/job@1', { text: 'x'.repeat(1_100_000) });
  const { outcome } = await (await runtime.run(large)).wait();
  assert.equal(outcome, { kind: 'not_started', reason: 'its job is larger than what NATS carries to a worker' });
});

test('a worker whose password is refused says so', async () => {
  const nats = its.urls.worker.replace(/:[^:@]*@/, ':wrong@');
  const served = serveProcessors({ 'test/never@1': async () => undefined }, { nats });
  const refused = await served.then(
    () => undefined,
    (error: Error) => error.name,
  );
  assert.is(refused, 'AuthorizationError');
});

test('an offer whose answer is lost is made again to the same worker, and to nobody else', async () => {
  const runtime = its.runtime();
  const connection = await asWorker();
  const others: Offer[] = [];
  const silentOnce = await HandWorker.serve({
    connection,
    ref: 'lost/answer@1',
    onOffer: (offer, worker, message) => {
      if (worker.offers.length === 1) return;
      worker.accept(message);
      worker.end(offer);
    },
  });
  const handle = runtime.run(assignment('lost/answer@1'));
  while (silentOnce.offers.length === 0) await new Promise((resolve) => setImmediate(resolve));
  await HandWorker.serve({ connection, ref: 'lost/answer@1', onOffer: (offer) => void others.push(offer) });
  assert.equal((await (await handle).wait()).outcome, { kind: 'exited', exitCode: 0 });
  assert.equal([silentOnce.offers.length, others.length], [2, 0]);
  assert.is(new Set(silentOnce.offers.map(({ execution_id }) => execution_id)).size, 1);
});

test('an end is told again until it is forgotten; a run that is offered twice runs once', async () => {
  const { core } = its;
  const { id } = await its.startWorker();
  const { job, executionId: execution_id } = assignment();
  const offer: Offer = {
    ...{ v: 1, execution_id, processor: 'test/actor@1', job, secrets: [], timeout_ms: 60_000 },
    ...{ dispatcher: 'byhand', contact_ms: 60_000 },
  };
  const heard = core.subscribe(fromWorker('test', id, 'byhand'));
  await core.flush();
  const ask = async (): Promise<unknown> =>
    (await core.request(toWorker('test', id, 'offer'), JSON.stringify(offer), { timeout: 30_000 })).json();
  const by = { name: 'actor', version: '1.0.0', scrubs: true };
  for (let again = 0; again < 2; again++) {
    const { answer, by: said } = (await ask()) as { answer: string; by: Record<string, unknown> };
    assert.equal([answer, { ...by, digest: said.digest }], ['accepted', said]);
  }
  const ends: string[] = [];
  for await (const message of heard) {
    const told = message.json<Ended | { kind: 'progress' }>();
    if (told.kind !== 'ended') continue;
    ends.push(Buffer.from(told.log_base64 ?? '', 'base64').toString('utf8'));
    if (ends.length === 2) break;
  }
  assert.is(ends[0], ends[1]);
  assert.is(ends[0]?.match(/^token /gm)?.length, 1);
  core.publish(toWorker('test', id, 'forget'), JSON.stringify({ v: 1, execution_id }));
  const contact = JSON.stringify({ v: 1, dispatcher: 'byhand' });
  const answer = await core.request(toWorker('test', id, 'contact'), contact, { timeout: 30_000 });
  assert.equal(answer.json(), { v: 1, executions: [] });
});

test('a run that no dispatcher asks for is ended, and is another dispatcher’s once that asks', async () => {
  const { core } = its;
  const { id } = await its.startWorker();
  const { job, executionId: execution_id } = assignment('test/actor@1', { mode: 'hang' });
  const offer: Offer = {
    ...{ v: 1, execution_id, processor: 'test/actor@1', job, secrets: [], timeout_ms: 60_000 },
    ...{ dispatcher: 'gone', contact_ms: 1_000 },
  };
  const heard = core.subscribe(fromWorker('test', id, 'gone'));
  await core.request(toWorker('test', id, 'offer'), JSON.stringify(offer), { timeout: 30_000 });
  for await (const message of heard) {
    const told = message.json<Ended | { kind: 'progress' }>();
    if (told.kind !== 'ended') continue;
    assert.equal(told.outcome, { kind: 'lost' });
    break;
  }
  const find = JSON.stringify({ v: 1, execution_id, dispatcher: 'next', contact_ms: 60_000 });
  const found = (await core.request(toWorkers('test', 'find'), find, { timeout: 30_000 })).json<{ ended?: Ended }>();
  assert.equal(found.ended?.outcome, { kind: 'lost' });
});

test('offers go to those who announce the processor, and to those of them who say they have it', async () => {
  const runtime = its.runtime();
  const connection = await asWorker();
  const ended = (offer: Offer, worker: HandWorker, message: Parameters<HandWorker['accept']>[0]): void => {
    worker.accept(message);
    worker.end(offer);
  };
  const old = await HandWorker.serve({ connection, ref: 'two/versions@1', onOffer: ended });
  const recent = await HandWorker.serve({ connection: await asWorker(), ref: 'two/versions@2', onOffer: ended });
  const liar = await HandWorker.serve({
    connection: await asWorker(),
    ref: 'two/versions@2',
    onOffer: (_, __, message) => message.respond('{"v":1,"answer":"unknown"}'),
  });
  for (let run = 0; run < 3; run++) {
    const { outcome, ranBy } = await (await runtime.run(assignment('two/versions@2'))).wait();
    assert.equal([outcome.kind, ranBy?.image_digest.slice(0, 7)], ['exited', 'sha256:']);
  }
  assert.equal([old.offers.length, recent.offers.length], [0, 3]);
  assert.ok(liar.offers.length <= 1, 'who has no such function is not asked again');
});

test.run();
