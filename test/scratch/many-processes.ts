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
import { bytes, freshPlanId } from './conformance.ts';
import type { Line, Task } from './worker-main.ts';

const MAIN = fileURLToPath(new URL('./worker-main.ts', import.meta.url));
const TOPIC = 'jobs';
const PUBLISHES_AT_ONCE = 64;
const LOOK_AGAIN_MS = 100;

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

export interface ManyProcessesOptions {
  /** What the drivers of the processes need beside the URL. */
  readonly env?: Readonly<Record<string, string>>;
  readonly load?: Load;
}

/** A worker process, and the lines it wrote. */
class Worker {
  readonly #child: ChildProcess;
  readonly ready: Promise<void>;
  readonly ended: Promise<void>;
  #errors = '';

  constructor(task: Task, env: Readonly<Record<string, string>>, hear: (line: Line) => void) {
    const child = spawn(process.execPath, ['--import', 'tsx', MAIN], {
      env: { ...process.env, ...env, ISOMORPH_TEST_TASK: JSON.stringify(task) },
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

/** What the consumers saw, by body. */
interface Witnessed {
  readonly delivered: Map<string, Seen[]>;
  readonly acked: Map<string, Seen[]>;
}

/**
 * None is lost, a confirmed ack is never followed by another delivery (unless the backend says that it may be);
 * how late a killed consumer's messages came again is told.
 */
export async function survivesKills(url: string, { env = {}, load = LOAD }: ManyProcessesOptions = {}): Promise<void> {
  const queue = await openQueue(url, { maxDeliveries: 1_000 });
  const planId = freshPlanId();
  const bodies = Array.from({ length: load.messages }, (_, index) => `m${index}`);
  const witnessed: Witnessed = { delivered: new Map(), acked: new Map() };
  const { visibilityTimeoutS } = load;
  const task: Task = { do: 'consume', url, planId, topic: TOPIC, visibilityTimeoutS };
  const start = (): Worker =>
    new Worker(task, env, (line) => {
      if (line.is !== 'delivered' && line.is !== 'acked') return;
      const { deliveries, atMs, body } = line;
      witnessed[line.is].set(body, [...(witnessed[line.is].get(body) ?? []), { deliveries, atMs }]);
    });
  const workers = Array.from({ length: load.consumers }, start);
  try {
    await Promise.all(workers.map(({ ready }) => ready));
    const limit = pLimit(PUBLISHES_AT_ONCE);
    const publishing = Promise.all(
      bodies.map((body) => limit(() => queue.publish({ planId, topic: TOPIC, body: bytes(body) }))),
    );
    await killAtRandom(workers, start, load, witnessed);
    await publishing;
    await untilEmpty(queue, planId, workers);
  } finally {
    await Promise.all(workers.map((worker) => worker.kill()));
    await queue.purgePlan({ planId });
    await queue.close();
  }
  assert.equal(
    bodies.filter((body) => !witnessed.delivered.has(body)),
    [],
    'messages were lost',
  );
  if (!queue.capabilities.redeliverAfterAck) assert.equal(seenAfterAck(witnessed), [], 'came again after their ack');
  // Told, not asserted: how late is a matter of the machine's load too, and nothing is lost by it.
  const late = lateRedeliveries(witnessed, visibilityTimeoutS * 1_000);
  process.stdout.write(
    `${late.length} redeliveries came later than twice the visibility ${late.slice(0, 3).join(', ')}\n`,
  );
}

/** A kill each time some more messages were delivered, so that all of them meet work. */
async function killAtRandom(workers: Worker[], start: () => Worker, load: Load, seen: Witnessed): Promise<void> {
  for (let kill = 1; kill <= load.kills; kill++) {
    const dueAt = Math.floor((load.messages * kill) / (load.kills + 1));
    while (seen.delivered.size < dueAt) await lookAgain(workers);
    const index = Math.floor(Math.random() * workers.length);
    await workers[index]?.kill();
    workers[index] = start();
  }
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

/** A kill may swallow the line of a delivery: each missing number may have taken its time too. */
const lateRedeliveries = ({ delivered }: Witnessed, visibilityMs: number): string[] =>
  [...delivered].flatMap(([body, deliveries]) => {
    const sorted = deliveries.toSorted((a, b) => a.deliveries - b.deliveries);
    return sorted.slice(1).flatMap((later, index) => {
      const before = sorted[index] ?? later;
      const gapMs = later.atMs - before.atMs;
      const steps = later.deliveries - before.deliveries;
      return gapMs > 2 * visibilityMs * steps ? [`${body}: ${gapMs} ms`] : [];
    });
  });

/** Every incr of every process counts once: the answers are 1 to n, each once. */
export async function countsExactly(url: string, { env = {}, load = LOAD }: ManyProcessesOptions = {}): Promise<void> {
  const planId = freshPlanId();
  const key = 'counter';
  const answers: number[] = [];
  const task: Task = { do: 'count', url, planId, key, times: load.countsEach };
  const workers = Array.from(
    { length: load.counters },
    () =>
      new Worker(task, env, (line) => {
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
  const kv = await openKv(url);
  assert.is(await kv.incr({ planId, key, by: 0 }), total);
  await kv.purgePlan({ planId });
  await kv.close();
}
