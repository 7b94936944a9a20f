import type { NatsConnection } from '@nats-io/transport-node';
import * as assert from 'uvu/assert';
import { connectNats } from '../../shared/nats/connect.ts';
import type { Job, Report } from '../../shared/runtime/contract.ts';
import type { RunResult } from '../../shared/runtime/runtime.ts';
import { suite } from '../harness/suite.ts';
import { HandWorker } from './hand-worker.ts';
import { assignment } from './worker-assignment.ts';
import { startWorkerServer, type WorkerServer } from './worker-under-test.ts';

/** Whatever a worker sends is from outside. */
const test = suite('worker runtime: hostile workers');

let its: WorkerServer;
const connections: NatsConnection[] = [];

test.before(async () => {
  its = await startWorkerServer();
});
test.after(() => its.stop());
test.after.each(async () => {
  for (const connection of connections.splice(0)) await connection.close();
});

async function asWorker(): Promise<NatsConnection> {
  const connection = await connectNats({ url: its.urls.worker, name: 'test-worker', waitMs: 30_000 });
  connections.push(connection);
  return connection;
}

const textOf = ({ log }: RunResult): string => Buffer.from(log).toString('utf8');

test('of a worker that does not take secrets out of its texts only codes are kept', async () => {
  const runtime = its.runtime();
  const reports: Report[] = [];
  await HandWorker.serve({
    connection: await asWorker(),
    ref: 'plain/texts@1',
    scrubs: false,
    onOffer: (offer, worker, message) => {
      worker.accept(message);
      const { execution_id } = offer;
      worker.say(offer, { v: 1, kind: 'progress', execution_id, fraction: 0.5, message: 'hush' });
      const { code } = (offer.job as Job).params;
      const error = { code, message: 'hush', retryable: false };
      const log_base64 = Buffer.from('hush').toString('base64');
      worker.end(offer, { outcome: { kind: 'exited', exit_code: 65 }, error, log_base64 });
    },
  });
  for (const [code, kept] of [
    ['ERR_PARAMS', 'ERR_PARAMS'],
    // One that is none of ours is a text too.
    ['hush', 'ERR_EXIT'],
  ]) {
    const handle = await runtime.run(assignment('plain/texts@1', { code }), (report) => reports.push(report));
    const result = await handle.wait();
    assert.equal(reports.splice(0), [{ isomorph: 'progress', fraction: 0.5 }]);
    assert.equal([result.outcome, result.error?.code], [{ kind: 'exited', exitCode: 65 }, kept]);
    assert.not.match(JSON.stringify(result) + textOf(result), /hush/);
  }
});

test('what a worker says of runs that it has not, or in no form, changes nothing', async () => {
  const runtime = its.runtime();
  const connection = await asWorker();
  const honest = await HandWorker.serve({ connection, ref: 'some/honest@1' });
  const one = assignment('some/honest@1');
  const handle = await runtime.run(one);
  const [offer] = honest.offers;
  if (offer === undefined) throw new Error('it was not offered');
  const hostile = await HandWorker.serve({ connection: await asWorker(), ref: 'some/hostile@1' });
  const other = await runtime.run(assignment('some/hostile@1'));
  const [its_own] = hostile.offers;
  if (its_own === undefined) throw new Error('it was not offered');
  // Another's run, on its own line; then what no schema takes.
  hostile.end({ ...offer, dispatcher: its_own.dispatcher }, { outcome: { kind: 'exited', exit_code: 3 } });
  for (const nonsense of ['', '{', '[]', '"x"', 'null', JSON.stringify({ v: 2 }), 'x'.repeat(900_000)]) {
    hostile.say(its_own, nonsense);
  }
  const long = 'a'.repeat(100_000);
  hostile.end(its_own, { error: { code: long, message: long } });
  hostile.end(its_own, { outcome: { kind: 'exited', exit_code: -1 } });
  hostile.end(its_own, { outcome: { kind: 'exited', exit_code: 1e300 } });
  hostile.end(its_own, { duration_ms: -5 });
  hostile.end(its_own, { outcome: { kind: 'exited', exit_code: 7 } });
  assert.equal((await other.wait()).outcome, { kind: 'exited', exitCode: 7 });
  honest.end(offer);
  assert.equal((await handle.wait()).outcome, { kind: 'exited', exitCode: 0 });
});

test('a worker that floods is not heard for a while; the runs of others go on', async () => {
  const told: string[] = [];
  const limits = {
    reportsPerS: 20,
    logBytesPerS: 2 ** 20,
    tell: ({ limit }: { limit: string }) => void told.push(limit),
  };
  const runtime = its.runtime({ limits, messagesPerS: 50 });
  const connection = await asWorker();
  const flooding = await HandWorker.serve({ connection, ref: 'some/flood@1' });
  const flooded = await runtime.run(assignment('some/flood@1'));
  const [offer] = flooding.offers;
  if (offer === undefined) throw new Error('it was not offered');
  const { execution_id } = offer;
  for (let sent = 0; sent < 10_000; sent++)
    flooding.say(offer, { v: 1, kind: 'progress', execution_id, fraction: 0.5 });
  const quiet = await HandWorker.serve({
    connection: await asWorker(),
    ref: 'some/quiet@1',
    onOffer: (its_offer, worker, message) => {
      worker.accept(message);
      worker.end(its_offer);
    },
  });
  assert.equal((await (await runtime.run(assignment('some/quiet@1'))).wait()).outcome, { kind: 'exited', exitCode: 0 });
  assert.is(quiet.offers.length, 1);
  // The test's own timeout bounds this.
  while (!told.includes('messages_of_worker')) await connection.flush();
  // Its own end is heard when it repeats it.
  let isOver = false;
  const over = flooded.wait().then((result) => {
    isOver = true;
    return result;
  });
  while (!isOver) {
    flooding.end(offer);
    await connection.flush();
  }
  assert.equal((await over).outcome, { kind: 'exited', exitCode: 0 });
});

test('a worker that announces all the world keeps nobody else from being heard', async () => {
  const runtime = its.runtime();
  const processors = Array.from({ length: 5_000 }, (_, number) => `n${number}/a@1`).join(',');
  const digest = `sha256:${'00'.repeat(32)}`;
  const metadata = { isomorph: '1', digest, processors, slots: '1' };
  const all = JSON.stringify({ type: 'x', name: 'all', id: 'allinallall', version: '1.0.0', metadata });
  assert.ok(all.length < 64 * 1024);
  const boaster = await asWorker();
  boaster.subscribe('$SRV.INFO', { callback: (_, message) => void message.respond(all) });
  await boaster.flush();
  for (const ref of ['early/count@1', 'late/count@1']) {
    await HandWorker.serve({
      connection: await asWorker(),
      ref,
      onOffer: (offer, worker, message) => {
        worker.accept(message);
        worker.end(offer);
      },
    });
    assert.equal((await (await runtime.run(assignment(ref))).wait()).outcome, { kind: 'exited', exitCode: 0 });
  }
});

test('an announcement of another’s worker takes no work from it and gives its digest to nobody', async () => {
  const runtime = its.runtime();
  const connection = await asWorker();
  const honest = await HandWorker.serve({
    connection,
    ref: 'real/count@1',
    onOffer: (offer, worker, message) => {
      worker.accept(message);
      worker.end(offer);
    },
  });
  // Announces it with other words, and one that does not exist.
  const digest = `sha256:${'00'.repeat(32)}`;
  const metadata = { isomorph: '1', digest, processors: 'real/count@1', slots: '1' };
  const forged = { type: 'x', name: 'forged', version: '9.9.9', metadata };
  for (const id of [honest.id, 'nobodyatall1']) {
    const forger = await asWorker();
    forger.subscribe('$SRV.INFO', {
      callback: (_, message) => void message.respond(JSON.stringify({ ...forged, id })),
    });
    await forger.flush();
  }
  const { outcome, ranBy } = await (await runtime.run(assignment('real/count@1'))).wait();
  assert.equal([outcome, ranBy?.versions.worker], [{ kind: 'exited', exitCode: 0 }, 'by-hand 2.0.0']);
});

test.run();
