import { createHash } from 'node:crypto';
import type { StreamConfig } from '@nats-io/jetstream';
import { KV_STREAM_CONFIG } from './scratch-kv.ts';

const SECOND_NS = 1_000_000_000;
const DAY_NS = 86_400 * SECOND_NS;

/** A server slows down with thousands of consumers on one stream: topics are spread over this many. */
export const QUEUE_SHARDS = 16;
export const QUEUE_DEDUPE_S = 600;
export const QUEUE_MAX_AGE_S = 14 * 86_400;

/**
 * What a stream may hold, in its metadata. A stream with schedules can only discard what is old, which is somebody else's: it gets
 * no limit from the server, and whoever publishes to it looks.
 */
export const MAX_BYTES_METADATA = 'isomorph.max_bytes';

/** That limit of a stream; none is set before setup. */
export const limitInMetadata = ({ metadata }: Pick<StreamConfig, 'metadata'>): number =>
  Number(metadata?.[MAX_BYTES_METADATA] ?? Number.POSITIVE_INFINITY);

type ScratchStream = Pick<StreamConfig, 'name' | 'subjects'> & Partial<StreamConfig>;

const queueStream = (shard: number): string => `SCRATCH_QUEUE_${shard}`;
const queuePrefix = (shard: number): string => `scratch.queue.${shard}`;

/**
 * Streams of the nats drivers of KV and queues; setup creates them with all others.
 */
export const SCRATCH_STREAMS: readonly ScratchStream[] = [
  KV_STREAM_CONFIG,
  ...Array.from(
    { length: QUEUE_SHARDS },
    (_, shard): ScratchStream => ({
      name: queueStream(shard),
      description: 'queues of plans',
      subjects: [`${queuePrefix(shard)}.>`],
      retention: 'workqueue',
      allow_msg_ttl: true,
      allow_msg_schedules: true,
      allow_rollup_hdrs: true,
      max_age: (QUEUE_MAX_AGE_S / 86_400) * DAY_NS,
      duplicate_window: QUEUE_DEDUPE_S * SECOND_NS,
      max_msg_size: 1024 * 1024,
    }),
  ),
];

/** A topic, or its dead letters. */
export interface TopicName {
  readonly name: string;
  readonly isDead: boolean;
}

/** Where a topic is. Its dead letters are in the same stream. */
export interface TopicPlace {
  readonly stream: string;
  /** Of its messages. Those below it are `lease.<sequence>` and `later.<id>`. */
  readonly subject: string;
  /** `=` occurs in no plan id and no topic. */
  readonly consumer: string;
}

export function topicPlace(planId: string, { name, isDead }: TopicName): TopicPlace {
  const token = isDead ? `${name}=dead` : name;
  const hash = createHash('sha256').update(`${planId}=${name}`).digest();
  const shard = hash.readUInt16BE(0) % QUEUE_SHARDS;
  return {
    stream: queueStream(shard),
    subject: `${queuePrefix(shard)}.${planId}.${token}`,
    consumer: `${planId}=${token}`,
  };
}

/** Streams with the filters of a plan's topics, and of their delayed messages. */
export const scratchSubjects = (planId: string): { stream: string; filters: readonly [string, string] }[] =>
  Array.from({ length: QUEUE_SHARDS }, (_, shard) => ({
    stream: queueStream(shard),
    filters: [`${queuePrefix(shard)}.${planId}.*`, `${queuePrefix(shard)}.${planId}.*.later.*`],
  }));
