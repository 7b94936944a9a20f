/** Many clients in processes of their own, with lost answers and SIGKILLs. Scaled by ISOMORPH_MODAL_SCALE (1 by default). */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { openKv } from '../../shared/scratch/kv/open.ts';
import { openQueue } from '../../shared/scratch/queue/open.ts';
import { ControlPlane } from '../harness/modal/control-plane.ts';
import { dice, type FaultKind } from '../harness/modal/faults.ts';
import { suite } from '../harness/suite.ts';
import { bytes, freshPlanId, text } from './conformance.ts';

const SCALE = Number(process.env.ISOMORPH_MODAL_SCALE ?? 1);
const WORKER = fileURLToPath(new URL('../harness/modal/worker.ts', import.meta.url));
const PROCESSES = 8;

const test = suite('modal: many processes');
const plane = new ControlPlane();
const running = new Set<ChildProcess>();

test.before(async () => {
  await plane.start();
  Object.assign(process.env, plane.environment);
});
test.after(async () => {
  for (const child of running) child.kill('SIGKILL');
  await plane.stop();
});

/** A worker; `hear` gets each of its lines, split. */
function start(words: readonly (string | number)[], hear: (line: readonly string[]) => void): ChildProcess {
  const child = spawn(process.execPath, ['--import', 'tsx', WORKER, ...words.map(String)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  if (child.stdout !== null) createInterface(child.stdout).on('line', (line) => hear(line.split(' ')));
  return child;
}

test('8 processes count one key without a gap or a double while answers get lost', async () => {
  const planId = freshPlanId();
  const times = 25 * SCALE;
  // Few of them cut all connections: gRPC takes a second to come back.
  const kinds: FaultKind[] = [...Array<FaultKind>(19).fill('unavailable'), 'disconnect'];
  plane.faults.atRandom({ rate: 0.1, seed: 7, kinds, methods: ['DictUpdate', 'DictGet'] });
  const values: number[] = [];
  const workers = Array.from({ length: PROCESSES }, () =>
    start(['incr', planId, times], ([, value]) => values.push(Number(value))),
  );
  const codes = await Promise.all(workers.map(async (worker) => (await once(worker, 'close'))[0]));
  plane.faults.clear();
  assert.equal(codes, Array(PROCESSES).fill(0));
  const total = PROCESSES * times;
  assert.equal(
    values.sort((a, b) => a - b),
    Array.from({ length: total }, (_, index) => index + 1),
  );
  assert.ok((plane.faults.met.get('DictUpdate') ?? 0) > 10, 'answers were lost');
  const kv = await openKv('modal:');
  assert.is(text(await kv.get({ planId, key: 'n' })), `${total}`);
  await kv.close();
});

test('consumers that are killed at any moment lose nothing, and what was acked is never seen again', async () => {
  const [planId, topic] = [freshPlanId(), 'work'];
  const [count, kills] = [240 * SCALE, 8 * SCALE];
  const queue = await openQueue('modal:');
  const ids = await Promise.all(
    Array.from({ length: count }, (_, index) =>
      queue.publish({ planId, topic, body: bytes(`work ${index}`), idempotencyKey: `${index}` }),
    ),
  );
  const ackedMs = new Map<string, number>();
  const seen: { id: string; ms: number }[] = [];
  const everyMs = Math.ceil(count / kills);
  let killed = 0;
  const random = dice(11);
  let isDone = false;
  let settled: Promise<void> | undefined;
  const done = new Promise<void>((resolve, reject) => {
    const hear = ([what, ms, id = '']: readonly string[]) => {
      if (what === 'seen') seen.push({ id, ms: Number(ms) });
      if (what === 'acked') ackedMs.set(id, Number(ms));
      if (ackedMs.size === count) resolve();
      // One consumer after another dies as the work goes on, at whatever it is doing.
      else if (killed < kills && seen.length > (killed + 1) * everyMs * 0.8) {
        killed++;
        const victim = [...running][Math.floor(random() * running.size)];
        victim?.kill('SIGKILL');
        start(['consume', planId, topic, 3], hear);
      }
    };
    for (let n = 0; n < PROCESSES / 2; n++) start(['consume', planId, topic, 3], hear);
    // An ack whose line died with its process is known by the queue alone.
    const settle = async () => {
      while (!isDone) {
        const { ready, inFlight } = await queue.stats({ planId, topic });
        if (ready + inFlight === 0) resolve();
        await new Promise((again) => setTimeout(again, 250));
      }
    };
    settled = settle().catch(reject);
  });
  await done;
  isDone = true;
  await settled;
  for (const child of running) child.kill('SIGKILL');
  const delivered = new Set(seen.map(({ id }) => id));
  assert.ok(killed >= kills / 2, `only ${killed} were killed`);
  assert.equal(
    ids.filter((id) => !delivered.has(id)),
    [],
    'a message was lost',
  );
  const unheard = ids.filter((id) => !ackedMs.has(id)).length;
  assert.ok(unheard <= killed, `${unheard} acks were not heard of, with ${killed} killed: one each can be under way`);
  const again = seen.filter(({ id, ms }) => ms > (ackedMs.get(id) ?? Number.POSITIVE_INFINITY));
  assert.equal(again, [], 'an acked message was delivered again');
  assert.equal(await queue.stats({ planId, topic }), { ready: 0, inFlight: 0, delayed: 0, dead: 0 });
  await queue.close();
});

test.run();
