import { IsomorphError } from '../../errors/isomorph-error.ts';

export const DEAD_SUFFIX = '.dead';

const TOPIC = /^[a-z0-9][a-z0-9_-]{0,62}$/;
const TOPIC_OR_DEAD = /^[a-z0-9][a-z0-9_-]{0,62}(\.dead)?$/;
const MAX_RECEIPT = 4_096;

export const isDeadTopic = (topic: string): boolean => topic.endsWith(DEAD_SUFFIX);

/** The topic that dead letters are of; itself where it is none. */
export const topicName = (topic: string): { readonly name: string; readonly isDead: boolean } =>
  isDeadTopic(topic) ? { name: topic.slice(0, -DEAD_SUFFIX.length), isDead: true } : { name: topic, isDead: false };

/** Where the dead letters of a topic are; those of a dead-letter topic stay where they are. */
export const deadTopic = (topic: string): string => (isDeadTopic(topic) ? topic : `${topic}${DEAD_SUFFIX}`);

/** @throws ERR_SCHEMA. A `.dead` topic is consumed like others; only the queue itself puts messages there. */
export function checkTopic(topic: string, use: 'published to' | 'consumed'): void {
  const pattern = use === 'consumed' ? TOPIC_OR_DEAD : TOPIC;
  if (typeof topic === 'string' && pattern.test(topic)) return;
  throw new IsomorphError('ERR_SCHEMA', `no topic that can be ${use}`, { pointer: '/topic', expected: `${pattern}` });
}

/** @throws ERR_SCHEMA for what is no text, ERR_RECEIPT for a text that no driver made. */
export function checkReceiptHandle(handle: string): void {
  const pointer = '/receiptHandle';
  if (typeof handle !== 'string') throw new IsomorphError('ERR_SCHEMA', 'the receipt handle is no text', { pointer });
  if (handle.length === 0 || handle.length > MAX_RECEIPT) throw badReceipt('is not one of ours');
}

/** For drivers: what any receipt that does not name a current delivery is refused with. */
export const badReceipt = (why: string, cause?: unknown): IsomorphError =>
  new IsomorphError('ERR_RECEIPT', `the receipt ${why}`, { pointer: '/receiptHandle' }, cause);
