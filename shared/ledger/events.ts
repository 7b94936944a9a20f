import Type, { type Static, type TSchema } from 'typebox';
import { AdapterSchema } from '../ids/adapter.ts';
import { PLAN_ID, STEP_ID } from '../ids/ids.ts';

/** Version of the event schema; hashed with the event. */
export const EVENT_VERSION = 1;

/** In bytes of canonical JSON. Larger data is an artifact, named by path and CID. */
export const EVENT_LIMITS = { event_bytes: 64 * 1024, commit_bytes: 512 * 1024 } as const;

const closed = { additionalProperties: false } as const;
const record = <T extends Record<string, TSchema>>(fields: T) => Type.Object(fields, closed);

const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const Cid = Type.String({ pattern: '^blake3:[0-9a-f]{64}$' });
const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$' });
const Timestamp = Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$' });
const Path = Type.String({ pattern: '^/(artifacts|streams)/', maxLength: 1024 });
const Text = Type.String({ maxLength: 8192 });
const Token = Type.String({ minLength: 1, maxLength: 256 });
const ExecutionId = Type.String({ minLength: 1, maxLength: 140 });

const FaultSchema = record({
  code: Token,
  message: Text,
  pointer: Type.Optional(Text),
  expected: Type.Optional(Text),
});

/** Where an execution ran, by names and digests only: what the receipt fingerprints. */
const EnvironmentSchema = record({
  adapter: AdapterSchema,
  image: Token,
  image_digest: Type.String({ maxLength: 256 }),
  cpu: Type.Number(),
  memory_gb: Type.Number(),
  timeout_s: Count,
  gpu: Type.Optional(record({ model: Token, count: Count, mem_gb: Type.Number() })),
  region: Token,
  present_env_keys: Type.Array(Token),
  versions: Type.Record(Type.String(), Type.String()),
});
export type Environment = Static<typeof EnvironmentSchema>;

/** The closed union: `data` by kind. `docs/events.md` tells who writes each and when. */
export const EVENT_DATA = {
  'plan.submitted': record({ plan_path: Path, plan_cid: Cid, bytes: Count }),
  'plan.admitted': record({
    admitted_path: Path,
    admitted_cid: Cid,
    policy: Token,
    steps: Count,
    budget_limit_usd_micro: Count,
    deadline: Timestamp,
  }),
  'plan.rejected': record({ faults: Type.Array(FaultSchema), fault_count: Count }),
  'plan.cancel_requested': record({ reason: Type.Union([Type.Literal('client'), Type.Literal('deadline')]) }),
  'plan.settled': record({
    status: Type.Union([Type.Literal('succeeded'), Type.Literal('failed'), Type.Literal('cancelled')]),
    spent_usd_micro: Count,
    faults: Type.Array(FaultSchema),
  }),
  'lease.declared': record({
    step_id: Token,
    selector: Type.String({ maxLength: 1024 }),
    mode: Type.Union([Type.Literal('read'), Type.Literal('write')]),
  }),
  'budget.reserved': record({ execution_id: ExecutionId, usd_micro: Count }),
  'budget.settled': record({ execution_id: ExecutionId, reserved_usd_micro: Count, actual_usd_micro: Count }),
  'execution.scheduled': record({
    execution_id: ExecutionId,
    step_id: Type.String({ pattern: STEP_ID.source }),
    attempt: Type.Integer({ minimum: 1 }),
    processor: Token,
    adapter: AdapterSchema,
    not_before: Timestamp,
  }),
  'execution.started': record({
    execution_id: ExecutionId,
    worker: Token,
    deadline: Timestamp,
    params_cid: Cid,
    inputs: Type.Record(Type.String(), record({ path: Path, cid: Cid })),
  }),
  'execution.succeeded': record({ execution_id: ExecutionId, duration_ms: Count, environment: EnvironmentSchema }),
  'execution.failed': record({
    execution_id: ExecutionId,
    code: Token,
    message: Text,
    retryable: Type.Boolean(),
    duration_ms: Count,
    exit_code: Type.Optional(Type.Integer()),
    log_tail: Type.Optional(Text),
    environment: Type.Optional(EnvironmentSchema),
  }),
  'execution.lost': record({ execution_id: ExecutionId, reason: Text, duration_ms: Count }),
  'execution.settled': record({
    execution_id: ExecutionId,
    receipt_path: Path,
    receipt_cid: Cid,
    memo_key: Cid,
  }),
  'artifact.written': record({
    path: Path,
    cid: Cid,
    sha256: Sha256,
    size: Count,
    content_type: Token,
    execution_id: Type.Optional(ExecutionId),
  }),
  'predicate.checked': record({
    pointer: Text,
    predicate: Token,
    ok: Type.Boolean(),
    found: Text,
  }),
  'scratch.queue.published': record({ fact_id: Token, topic: Token, bytes: Count, approx_size: Count }),
  'scratch.queue.retry': record({ fact_id: Token, topic: Token, deliveries: Count, delay_s: Count }),
  'scratch.queue.deadletter': record({ fact_id: Token, topic: Token, deliveries: Count, reason: Text }),
  'scratch.kv.changed': record({
    fact_id: Token,
    key: Type.String({ maxLength: 1024 }),
    op: Type.Union([Type.Literal('put'), Type.Literal('delete'), Type.Literal('incr')]),
  }),
  'scratch.sampled': record({ fact_id: Token, path: Path, cid: Cid, dropped: Count }),
  'streams.sampled': record({
    fact_id: Token,
    series: Token,
    watermark: Count,
    every_n: Count,
    chunk_count: Count,
    dropped_chunks: Count,
  }),
} as const;

export type EventKind = keyof typeof EVENT_DATA;
export type EventData<K extends EventKind> = Static<(typeof EVENT_DATA)[K]>;
export const EVENT_KINDS = Object.keys(EVENT_DATA) as readonly EventKind[];

/** Kinds that arrive as facts from scratch adapters and processors; only the sampler writes them. */
export const FACT_KINDS = [
  'scratch.queue.published',
  'scratch.queue.retry',
  'scratch.queue.deadletter',
  'scratch.kv.changed',
  'scratch.sampled',
  'streams.sampled',
] as const satisfies readonly EventKind[];
export type FactKind = (typeof FACT_KINDS)[number];

/** Who an event can be `by`. Other services, such as the gateway, write nothing to the ledger. */
export const LEDGER_WRITERS = ['admission', 'dispatcher', 'settler', 'sampler', 'projector'] as const;
export type LedgerWriter = (typeof LEDGER_WRITERS)[number];

/** What a decider returns: the shell adds who, when and the chain. */
export type Draft = { [K in EventKind]: { readonly kind: K; readonly data: EventData<K> } }[EventKind];

interface Envelope {
  readonly by: LedgerWriter;
  readonly plan_id: string;
  /** Per plan, from 1, dense. */
  readonly seq: number;
  /** `this_hash` of the event before; null at seq 1. */
  readonly prev_hash: string | null;
  /** BLAKE3 of the canonical event without this field. */
  readonly this_hash: string;
  /** UTC with milliseconds; never before the event in front of it. */
  readonly ts: string;
  readonly v: typeof EVENT_VERSION;
}

export type LedgerEvent = Envelope & Draft;
export type EventOf<K extends EventKind> = Extract<LedgerEvent, { kind: K }>;

/** The envelope's own schema; `data` is checked by the schema of its kind. */
export const EnvelopeSchema = record({
  by: Type.Enum([...LEDGER_WRITERS]),
  data: Type.Record(Type.String(), Type.Unknown()),
  kind: Type.Enum([...EVENT_KINDS]),
  plan_id: Type.String({ pattern: PLAN_ID.source }),
  prev_hash: Type.Union([Type.Null(), Cid]),
  seq: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
  this_hash: Cid,
  ts: Timestamp,
  v: Type.Literal(EVENT_VERSION),
});
