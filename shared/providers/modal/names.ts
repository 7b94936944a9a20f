import { createHash, randomBytes } from 'node:crypto';

/** Modal's limit on the names of Dicts and Queues. */
const MAX_NAME = 64;
/** Modal's limit on the key of a partition, in bytes. */
const MAX_PARTITION = 64;
const HASH_DIGITS = 32;
const SHOWN = 12;

const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, HASH_DIGITS);

/**
 * The Modal object that holds a plan's scratch of one kind. Where a plan id is too long a hash stands for it, after a dot,
 * which no plan id holds: two plans never share a name.
 */
export function objectName(kind: 'kv' | 'queue' | 'leases', planId: string): string {
  const name = `isomorph-${kind}-${planId}`;
  return name.length <= MAX_NAME ? name : `isomorph-${kind}-${planId.slice(0, SHOWN)}.${digest(planId)}`;
}

/** Topics are ASCII, so characters are bytes. */
export const partitionOf = (topic: string): string =>
  topic.length <= MAX_PARTITION ? topic : `${topic.slice(0, SHOWN)}.${digest(topic)}`;

/** An idempotency key may be long, and any text. */
export const hashOfKey = (key: string): string => digest(key);

/** Names one attempt to write, so that its writer knows its own work again when the answer was lost. */
export const newOperationId = (): string => randomBytes(9).toString('base64url');
