import Type, { type Static } from 'typebox';
import { PROCESSOR_REF } from '../ids/ids.ts';
import { Count, ExecutionId } from '../ledger/events.ts';
import { validator } from '../schema/validate.ts';

/**
 * How dispatchers and `worker` runtimes talk (docs/worker-contract.md). Who may serve a processor is who may hear its
 * namespace: NATS fixes that in the subjects, so nothing that a worker says of itself is believed further than this.
 */

/** To one worker. */
export const TO_WORKERS = 'workers.to.>';
/** To every worker of a namespace. */
export const ALL_WORKERS = 'workers.all.>';
/** From a worker to the dispatcher whose run it has. */
export const FROM_WORKERS = 'workers.from.>';

/** ADR-32: every service of NATS says who it is. */
export const ANNOUNCEMENTS = '$SRV.INFO';
/** What a worker answers of ADR-32. */
export const ADR_32 = ['PING', 'INFO', 'STATS'].map((verb) => `$SRV.${verb}`);

export type WorkerRequest = 'offer' | 'contact' | 'stop' | 'forget';
export type WorkersRequest = 'find' | 'stop' | 'forget';

export const toWorker = (namespace: string, id: string, request: WorkerRequest): string =>
  `workers.to.${namespace}.${id}.${request}`;

export const toWorkers = (namespace: string, request: WorkersRequest): string => `workers.all.${namespace}.${request}`;

export const fromWorker = (namespace: string, id: string, dispatcher: string): string =>
  `workers.from.${namespace}.${id}.${dispatcher}`;

export const namespaceOf = (ref: string): string => ref.slice(0, ref.indexOf('/'));

/** What NATS lets a worker of a namespace do; `*` is any namespace. Answers are all it may say elsewhere. */
export const workerPermissions = (namespace: string) => ({
  publish: { allow: [`workers.from.${namespace}.>`] },
  subscribe: {
    allow: [
      ...ADR_32.flatMap((subject) => [subject, `${subject}.>`]),
      `workers.to.${namespace}.>`,
      `workers.all.${namespace}.>`,
    ],
  },
  // As many services as may share one connection.
  allow_responses: { max: 8, expires: '1m' },
});

/** An announcement, an answer and a message of a worker have at most so many bytes. */
export const WORKER_LIMITS = {
  announcement_bytes: 64 * 1024,
  answer_bytes: 768 * 1024,
  message_bytes: 768 * 1024,
} as const;

const V = Type.Literal(1);
const WorkerId = Type.String({ pattern: '^[a-z0-9]{8,32}$' });
const Name = Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' });
const Version = Type.String({ pattern: '^[A-Za-z0-9.+-]{1,64}$' });
const Digest = Type.String({ pattern: '^(sha256|blake3):[0-9a-f]{64}$' });

const AnnouncementSchema = Type.Object({
  name: Name,
  id: WorkerId,
  version: Version,
  metadata: Type.Object({
    /** Version of the worker contract. */
    isomorph: Type.Literal('1'),
    digest: Digest,
    processors: Type.String({ description: 'processor refs, comma-separated' }),
    slots: Type.String({ pattern: '^[1-9][0-9]{0,3}$' }),
  }),
});

/** Of an answer to {@link ANNOUNCEMENTS} what is read here; ADR-32 has the rest. */
export type Announcement = Static<typeof AnnouncementSchema>;
export const parseAnnouncement = validator(AnnouncementSchema, 'ERR_SCHEMA');

/** The processors of an announcement; what is no reference is left out. */
export const announcedRefs = ({ metadata }: Announcement): string[] =>
  metadata.processors.split(',').filter((ref) => PROCESSOR_REF.test(ref));

const BySchema = Type.Object({
  name: Name,
  version: Version,
  digest: Digest,
  /** Secrets and signed URLs are taken out of every text before it is sent: else texts are not kept. */
  scrubs: Type.Boolean(),
});

/** Who has a run, as it says itself. */
export type WorkerIdentity = Static<typeof BySchema>;

/** One execution for one worker. `job` holds credentials. */
export interface Offer {
  readonly v: 1;
  readonly execution_id: string;
  readonly processor: string;
  readonly job: object;
  /** Names of what the function may have of the worker's own environment. */
  readonly secrets: readonly string[];
  /** Until the deadline; clocks of machines differ. */
  readonly timeout_ms: number;
  /** Where to answer: {@link fromWorker}. */
  readonly dispatcher: string;
  /** Who hears nothing of the dispatcher for so long ends the run. */
  readonly contact_ms: number;
}

const OfferAnswerSchema = Type.Union([
  Type.Object({ v: V, answer: Type.Literal('accepted'), by: BySchema }),
  Type.Object({ v: V, answer: Type.Literal('busy') }),
  /** It has no such processor. */
  Type.Object({ v: V, answer: Type.Literal('unknown') }),
]);
export type OfferAnswer = Static<typeof OfferAnswerSchema>;
export const parseOfferAnswer = validator(OfferAnswerSchema, 'ERR_SCHEMA');

/** A dispatcher is there: so often that nobody need end its runs. */
export interface Contact {
  readonly v: 1;
  readonly dispatcher: string;
}

const ContactAnswerSchema = Type.Object({
  v: V,
  /** What it has of this dispatcher, running or ended and not yet forgotten. */
  executions: Type.Array(ExecutionId, { maxItems: 4_096 }),
});
export const parseContactAnswer = validator(ContactAnswerSchema, 'ERR_SCHEMA');

const EndedSchema = Type.Object({
  v: V,
  kind: Type.Literal('ended'),
  execution_id: ExecutionId,
  outcome: Type.Union([
    Type.Object({ kind: Type.Literal('exited'), exit_code: Type.Integer({ minimum: 0, maximum: 255 }) }),
    Type.Object({ kind: Type.Literal('timed_out') }),
    Type.Object({ kind: Type.Literal('killed') }),
    /** It heard of no dispatcher for too long. */
    Type.Object({ kind: Type.Literal('lost') }),
  ]),
  duration_ms: Count,
  error: Type.Optional(
    Type.Object({
      code: Type.String({ maxLength: 64 }),
      message: Type.String({ maxLength: 8_192 }),
      retryable: Type.Optional(Type.Boolean()),
    }),
  ),
  log_base64: Type.Optional(Type.String({ maxLength: 349_528, description: 'the last 256 KiB' })),
});

/** Repeated until it is forgotten. */
export type Ended = Static<typeof EndedSchema>;

const ProgressSchema = Type.Object({
  v: V,
  kind: Type.Literal('progress'),
  execution_id: ExecutionId,
  fraction: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  message: Type.Optional(Type.String({ maxLength: 8_192 })),
});

export type RunProgress = Static<typeof ProgressSchema>;

const FromWorkerSchema = Type.Union([EndedSchema, ProgressSchema]);
export type FromWorker = Static<typeof FromWorkerSchema>;
export const parseFromWorker = validator(FromWorkerSchema, 'ERR_SCHEMA');

/** Who has this run? From now on it is this dispatcher's. Others do not answer. */
export interface Find extends Contact {
  readonly execution_id: string;
  readonly contact_ms: number;
}

const FoundSchema = Type.Object({
  v: V,
  id: WorkerId,
  execution_id: ExecutionId,
  by: BySchema,
  /** Since it was accepted. */
  running_ms: Count,
  ended: Type.Optional(EndedSchema),
});
export type Found = Static<typeof FoundSchema>;
export const parseFound = validator(FoundSchema, 'ERR_SCHEMA');

/** End it: nothing is answered, its end is told as any. */
export interface Stop {
  readonly v: 1;
  readonly execution_id: string;
  readonly reason: 'killed' | 'timed_out';
}

/** Its end is in the ledger. */
export interface Forget {
  readonly v: 1;
  readonly execution_id: string;
}
