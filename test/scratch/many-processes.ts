/**
 * Many processes on one backend, with SIGKILLs: for every driver whose backend is a server. `survivesKills` and
 * `countsExactly` run and check; `npm test` uses a small load, `CI=true` the full one.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pLimit from 'p-limit';
import * as assert from 'uvu/assert';
import { openKv } from '../../shared/scratch/kv/open.ts';
import { openQueue } from '../../shared/scratch/queue/open.ts';
import { scaledMs } from '../harness/slowness.ts';
import { bytes, freshPlanId } from './conformance.ts';
import type { Line, Task } from './worker-main.ts';

const MAIN = fileURLToPath(new URL('./worker-main.ts', import.meta.url));
const TOPIC = 'jobs';
const PUBLISHES_AT_ONCE = 64;
const LOOK_AGAIN_MS = 100;
/** A machine that is busy with all these processes is no fault. */
const TIMEOUT_MS = scaledMs(60_000);
/** How often each consumer may overlook what is due twice over. */
const MOST_OVERLOOKED = 2;

export interface Load {
  readonly messages: number;
  readonly consumers: number;
  readonly kills: number;
  readonly visibilityTimeoutS: number;
  readonly counters: number;
  readonly countsEach: number;
}

const FULL: Load = { messages: 10_000, consumers: 8, kills: 16, visibilityTimeoutS: 4, counters: 8, countsEach: 1_000 };
const SMALL: Load = { messages: 600, consumers: 3, kills: 4, visibilityTimeoutS: 4, counters: 3, countsEach: 100 };
export const LOAD: Load = process.env.CI === 'true' ? FULL : SMALL;

/** For suites of these: a full load on a slow machine is no hang. */
export const LOAD_LIMITS = { timeoutMs: 900_000 };

/** A worker process, and the lines it wrote. */
class Worker {
  readonly #child: ChildProcess;
  readonly ready: Promise<void>;
  readonly ended: Promise<void>;
  #errors = '';

  constructor(task: Task, hear: (line: Line) => void) {
    const child = spawn(process.execPath, ['--import', 'tsx', MAIN], {
      env: { ...process.env, ISOMORPH_TEST_TASK: JSON.stringify(task) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    child.stderr.on('data', (chunk: Buffer) => {
      this.#errors = (this.#errors + chunk.toString()).slice(-4_000);
    });
    const lines = createInterface({ input: child.stdout });
    this.ready = new Promise((resolve) => {
      lines.on('line', (text) => {
        // A line that the kill cut short says nothing.
        if (!text.endsWith('}')) return;
        const line = JSON.parse(text) as Line;
        if (line.is === 'ready') resolve();
        else hear(line);
      });
    });
    this.ended = Promise.all([once(child, 'exit'), once(lines, 'close')]).then(() => undefined);
  }

  /** What it said when it ended by itself and not well. */
  fault(): string | undefined {
    const { exitCode } = this.#child;
    return exitCode === null || exitCode === 0 ? undefined : this.#errors;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
  }
}

interface Seen {
  readonly deliveries: number;
  readonly atMs: number;
}

type Call = Extract<Line, { is: 'consumed' }>;

/** What the consumers saw, by body. */
interface Witnessed {
  readonly calls: Call[];
  readonly delivered: Map<string, Seen[]>;
  readonly acked: Map<string, Seen[]>;
}

/**
 * None is lost, a confirmed ack is never followed by another delivery (unless the backend says that it may be), and a killed
 * consumer's messages come again within twice the visibility timeout, or as soon after as somebody looks.
 */
export async function survivesKills(url: string): Promise<void> {
  const queue = await openQueue(url, { maxDeliveries: 1_000, timeoutMs: TIMEOUT_MS });
  const planId = freshPlanId();
  const bodies = Array.from({ length: LOAD.messages }, (_, index) => `m${index}`);
  const witnessed: Witnessed = { calls: [], delivered: new Map(), acked: new Map() };
  const { visibilityTimeoutS } = LOAD;
  const task: Task = { do: 'consume', url, planId, topic: TOPIC, visibilityTimeoutS };
  const workers: Worker[] = [];
  const ends: Promise<void>[] = [];
  let isOver = false;
  // Each time some more messages were delivered, who just said so is killed: most often before its acks.
  const mayKill = (worker: Worker): void => {
    const index = workers.indexOf(worker);
    const dueAt = Math.floor((LOAD.messages * (ends.length + 1)) / (LOAD.kills + 1));
    if (isOver || index === -1 || ends.length === LOAD.kills || witnessed.delivered.size < dueAt) return;
    ends.push(worker.kill());
    workers[index] = start();
  };
  const start = (): Worker => {
    const worker: Worker = new Worker(task, (line) => {
      if (line.is === 'consumed') witnessed.calls.push(line);
      if (line.is !== 'delivered' && line.is !== 'acked') return;
      const { deliveries, atMs, body } = line;
      witnessed[line.is].set(body, [...(witnessed[line.is].get(body) ?? []), { deliveries, atMs }]);
      mayKill(worker);
    });
    return worker;
  };
  workers.push(...Array.from({ length: LOAD.consumers }, start));
  try {
    await Promise.all(workers.map(({ ready }) => ready));
    const limit = pLimit(PUBLISHES_AT_ONCE);
    await Promise.all(bodies.map((body) => limit(() => queue.publish({ planId, topic: TOPIC, body: bytes(body) }))));
    await untilEmpty(queue, planId, workers);
  } finally {
    isOver = true;
    await Promise.all([...ends, ...workers.map((worker) => worker.kill())]);
    await queue.purgePlan({ planId });
    await queue.close();
  }
  assert.equal(
    bodies.filter((body) => !witnessed.delivered.has(body)),
    [],
    'messages were lost',
  );
  const afterAck = seenAfterAck(witnessed);
  if (!queue.capabilities.redeliverAfterAck) assert.equal(afterAck, [], 'came again after their ack');
  const late = lateRedeliveries(witnessed, visibilityTimeoutS * 1_000);
  // How late in time is a matter of the machine's load, and told. How many had looked and not found it is the backend's.
  const told = late.map(({ body, lateMs, overlooked }) => `${body}: ${lateMs} ms, overlooked ${overlooked} times`);
  const again = [...witnessed.delivered.values()].filter((deliveries) => deliveries.some(isRedelivery)).length;
  const examples = told.slice(0, 3).join(', ');
  process.stdout.write(`${again} messages came again, ${late.length} later than twice the visibility ${examples}\n`);
  const most = MOST_OVERLOOKED * LOAD.consumers;
  assert.equal(
    late.filter(({ overlooked }) => overlooked > most).map(({ body }) => body),
    [],
    `due again, and overlooked more than ${most} times`,
  );
}

async function untilEmpty(
  queue: Awaited<ReturnType<typeof openQueue>>,
  planId: string,
  workers: readonly Worker[],
): Promise<void> {
  for (;;) {
    const { ready, inFlight, delayed } = await queue.stats({ planId, topic: TOPIC });
    if (ready + inFlight + delayed === 0) return;
    await lookAgain(workers);
  }
}

async function lookAgain(workers: readonly Worker[]): Promise<void> {
  for (const worker of workers) {
    const fault = worker.fault();
    if (fault !== undefined) throw new Error(`a process failed by itself:\n${fault}`);
  }
  await sleep(LOOK_AGAIN_MS);
}

/** Bodies with a delivery of a higher number than one whose ack was confirmed. */
const seenAfterAck = ({ delivered, acked }: Witnessed): string[] =>
  [...acked].flatMap(([body, acks]) => {
    const last = Math.max(...(delivered.get(body) ?? []).map(({ deliveries }) => deliveries));
    return acks.length > 1 || acks.some(({ deliveries }) => deliveries < last) ? [body] : [];
  });

const isRedelivery = ({ deliveries }: Seen): boolean => deliveries > 1;

interface Late {
  readonly body: string;
  readonly lateMs: number;
  /** Calls that began when it was due twice over, had room for it, and came back before it was found. */
  readonly overlooked: number;
}

/** A kill may swallow the line of a delivery: each missing number may have taken its time too. */
function lateRedeliveries({ calls, delivered }: Witnessed, visibilityMs: number): Late[] {
  return [...delivered].flatMap(([body, deliveries]) => {
    const sorted = deliveries.toSorted((a, b) => a.deliveries - b.deliveries);
    return sorted.slice(1).flatMap((later, index) => {
      const before = sorted[index] ?? later;
      const dueMs = before.atMs + 2 * visibilityMs * (later.deliveries - before.deliveries);
      if (later.atMs <= dueMs) return [];
      // While the call that found it was under way it was that one's already.
      const finder = calls.find(({ endedMs, startedMs }) => endedMs === later.atMs && startedMs <= later.atMs);
      const foundMs = finder?.startedMs ?? later.atMs;
      const overlooked = calls.filter(
        ({ startedMs, endedMs, hadRoom }) => hadRoom && startedMs > dueMs && endedMs < foundMs,
      );
      return [{ body, lateMs: later.atMs - dueMs, overlooked: overlooked.length }];
    });
  });
}

/** Every incr of every process counts once: the answers are 1 to n, each once. */
export async function countsExactly(url: string, load = LOAD): Promise<void> {
  const planId = freshPlanId();
  const key = 'counter';
  const answers: number[] = [];
  const task: Task = { do: 'count', url, planId, key, times: load.countsEach };
  const workers = Array.from(
    { length: load.counters },
    () =>
      new Worker(task, (line) => {
        if (line.is === 'counted') answers.push(line.value);
      }),
  );
  await Promise.all(workers.map(({ ended }) => ended));
  for (const worker of workers) assert.is(worker.fault(), undefined);
  const total = load.counters * load.countsEach;
  assert.is(answers.length, total);
  assert.equal(
    answers.toSorted((a, b) => a - b),
    Array.from({ length: total }, (_, index) => index + 1),
  );
  const kv = await openKv(url, { timeoutMs: TIMEOUT_MS });
  assert.is(await kv.incr({ planId, key, by: 0 }), total);
  await kv.purgePlan({ planId });
  await kv.close();
}
