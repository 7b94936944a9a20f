/** Steps that queue tests share. */
import * as assert from 'uvu/assert';
import type { Queue, QueueMessage, QueueStats } from '../../shared/scratch/queue/queue.ts';
import { bytes } from './conformance.ts';

export const TOPIC = 'jobs';
/** Long enough that a slow machine does not end a lease by accident. */
export const LONG_S = 60;
/** Ends within a test, but not before the next call, however slow the machine is. */
export const AMPLE_S = 6;
/** The shortest that every backend keeps. */
export const SHORT_S = 1;
const WAIT_S = 20;

export const publish = (queue: Queue, planId: string, text: string, more: object = {}): Promise<string> =>
  queue.publish({ planId, topic: TOPIC, body: bytes(text), ...more });

/** The next message; fails when none comes. */
export async function next(queue: Queue, planId: string, more: object = {}): Promise<QueueMessage> {
  const request = { planId, topic: TOPIC, waitS: WAIT_S, visibilityTimeoutS: LONG_S, ...more };
  const [message] = await queue.consume(request);
  if (message === undefined) throw new Error(`no message came within ${WAIT_S} s`);
  return message;
}

/** As many messages as are asked for, in several calls if need be. */
export async function take(queue: Queue, planId: string, count: number, more: object = {}): Promise<QueueMessage[]> {
  const taken: QueueMessage[] = [];
  while (taken.length < count) {
    const request = { planId, topic: TOPIC, waitS: WAIT_S, visibilityTimeoutS: LONG_S, ...more };
    const some = await queue.consume({ ...request, maxMessages: Math.min(100, count - taken.length) });
    assert.ok(some.length > 0, `${taken.length} of ${count} messages came`);
    taken.push(...some);
  }
  return taken;
}

export async function assertEmpty(queue: Queue, planId: string, topic = TOPIC): Promise<void> {
  assert.equal(await queue.consume({ planId, topic, maxMessages: 10 }), [], 'a message is there');
}

/** Numbers of a backend that counts in the background may follow a little later. */
async function assertSoon(queue: Queue, planId: string, wanted: unknown, of: (stats: QueueStats) => unknown) {
  let stats = await queue.stats({ planId, topic: TOPIC });
  const deadlineMs = Date.now() + 3_000;
  while (JSON.stringify(of(stats)) !== JSON.stringify(wanted) && Date.now() < deadlineMs) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    stats = await queue.stats({ planId, topic: TOPIC });
  }
  assert.equal(of(stats), wanted);
}

export const assertStats = (queue: Queue, planId: string, expected: Partial<QueueStats>): Promise<void> =>
  assertSoon(queue, planId, { ready: 0, inFlight: 0, delayed: 0, dead: 0, ...expected }, order);

/** For a backend that tells only about: all that the topic holds. */
export const assertTotal = (queue: Queue, planId: string, expected: number): Promise<void> =>
  assertSoon(queue, planId, expected, ({ ready, inFlight, delayed }) => ready + inFlight + delayed);

const order = ({ ready, inFlight, delayed, dead }: QueueStats): QueueStats => ({ ready, inFlight, delayed, dead });
