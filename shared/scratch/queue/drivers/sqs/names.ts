/** Names of queues within the rules of AWS: letters, digits, - and _, at most 80 with the `.fifo` at the end. Pure. */
import { createHash } from 'node:crypto';

const MAX_NAME = 80;
const SUFFIX = '.fifo';

const digest = (text: string, length: number): string =>
  createHash('sha256').update(text).digest('hex').slice(0, length);

/** What the names of a plan's queues begin with, and no others. The id itself may be longer than a name. */
export const planQueuePrefix = (prefix: string, planId: string): string => `${prefix}-${digest(planId, 16)}-`;

/** One queue for one topic. The hashes tell queues apart, the readable end is for people; the tags have the whole ids. */
export function queueName(prefix: string, planId: string, topic: string): string {
  const start = `${planQueuePrefix(prefix, planId)}${digest(`${planId}/${topic}`, 12)}-`;
  const readable = `${planId.slice(0, 10)}-${topic.replace('.', '_')}`;
  return start + readable.slice(0, MAX_NAME - SUFFIX.length - start.length) + SUFFIX;
}

/** Ties a receipt to its topic. */
export const topicMark = (planId: string, topic: string): string => digest(`${planId}/${topic}`, 12);

/** The id of a message with an idempotency key: any publisher comes to the same one, which is what SQS dedupes by. */
export const idempotentId = (planId: string, topic: string, key: string): string =>
  digest(JSON.stringify([planId, topic, key]), 32);
