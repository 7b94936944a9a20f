/** KV of plans on NATS: one bucket by NATS's ADR-8, which any client of NATS KV opens by its name. */
import type { StreamConfig } from '@nats-io/jetstream';

const SECOND_NS = 1_000_000_000;

export const KV_BUCKET = 'SCRATCH';
export const KV_STREAM = `KV_${KV_BUCKET}`;
const KV_PREFIX = `$KV.${KV_BUCKET}.`;

/** How long the trace of a key that went stays for watchers that were away. */
export const KV_MARKER_TTL_S = 30;

/** What a bucket's stream is by ADR-8, with times to live and markers where they end. */
export const KV_STREAM_CONFIG: Partial<StreamConfig> & Pick<StreamConfig, 'name' | 'subjects'> = {
  name: KV_STREAM,
  description: 'keys and values of plans',
  subjects: [`${KV_PREFIX}>`],
  retention: 'limits',
  discard: 'new',
  max_msgs_per_subject: 1,
  deny_delete: true,
  deny_purge: false,
  allow_rollup_hdrs: true,
  allow_msg_ttl: true,
  subject_delete_marker_ttl: KV_MARKER_TTL_S * SECOND_NS,
  // Reads go to the leader: a replica may answer with what was there before.
  allow_direct: false,
  duplicate_window: 120 * SECOND_NS,
  max_msg_size: 1024 * 1024,
};

/** What NATS KV takes as a key: tokens of these letters, one dot between two. `=` at the beginning marks what is encoded. */
const PLAIN_KEY = /^(?!=)[-/=\w]+(?:\.[-/=\w]+)*$/;

/** The key in the bucket: `<plan>.<key>`, or `<plan>.=<base64url of its UTF-8>` where NATS KV would refuse it. */
export const kvKey = (planId: string, key: string): string =>
  `${planId}.${PLAIN_KEY.test(key) ? key : `=${Buffer.from(key, 'utf8').toString('base64url')}`}`;

/** Of a key in the bucket. */
export const kvSubject = (bucketKey: string): string => `${KV_PREFIX}${bucketKey}`;

/** Matches the subjects of all keys of a plan. */
export const kvSubjectsOf = (planId: string): string => `${KV_PREFIX}${planId}.>`;
