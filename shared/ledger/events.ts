import Type, { type Static, type TSchema } from 'typebox';
import { AdapterSchema } from '../ids/adapter.ts';
import { STEP_ID } from '../ids/ids.ts';

/**
 * In bytes of canonical JSON, for who writes. Larger data is an artifact, named by path and CID. An event's length fits
 * 16 bits; those of version 1 may have one byte more.
 */
export const EVENT_LIMITS = { event_bytes: 65_535, event_bytes_v1: 65_536, commit_bytes: 512 * 1024 } as const;

const closed = { additionalProperties: false } as const;
export const record = <T extends Record<string, TSchema>>(fields: T) => Type.Object(fields, closed);

export const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
export const Cid = Type.String({ pattern: '^blake3:[0-9a-f]{64}$' });
const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$' });
export const Timestamp = Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$' });
export const Path = Type.String({ pattern: '^/(artifacts|streams)/', maxLength: 1024 });
export const Text = Type.String({ maxLength: 8192 });
export const Token = Type.String({ minLength: 1, maxLength: 256 });
export const ExecutionId = Type.String({ minLength: 1, maxLength: 140 });

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

/** Who commands: the token that NATS permissions fix in the subject of a command. */
export const PRINCIPAL = /^[a-z0-9_-]{1,63}$/;

/** Who commands where nobody is named. */
export const ANONYMOUS = 'anonymous';

/**
 * The closed union: `data` by kind, in its newest version; `versions.ts` keeps those before it. Whatever is changed here
 * is a new version: a test compares each with the digest it was given. `docs/events.md` tells who writes each and when.
 */
export const EVENT_DATA = {
  'plan.submitted': record({
    plan_path: Path,
    plan_cid: Cid,
    bytes: Count,
    principal: Type.String({ pattern: PRINCIPAL.source }),
    /** Of the command in COMMANDS; 0 where that is not known, as in version 1. */
    command_seq: Count,
  }),
  'plan.admitted': record({
    admitted_path: Path,
    admitted_cid: Cid,
    policy: Token,
    steps: Count,
    budget_limit_usd_micro: Count,
    deadline: Timestamp,
    predicates: Count,
    timeout_s: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
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
    session: Token,
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
  'execution.lost': record({
    execution_id: ExecutionId,
    reason: Text,
    /** Null when nobody knows: the whole reserve is charged then. */
    duration_ms: Type.Union([Count, Type.Null()]),
  }),
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

/** What a writer tells. */
export type DraftData<K extends EventKind> = Static<(typeof EVENT_DATA)[K]>;

/** What version 1 did not tell and nothing else of its event does. */
interface Untold {
  'plan.admitted': 'predicates' | 'timeout_s';
}

/** What a reader learns: {@link DraftData}, and null for a field that an older version did not tell. */
export type EventData<K extends EventKind> = K extends keyof Untold
  ? { [F in keyof DraftData<K>]: F extends Untold[K] ? DraftData<K>[F] | null : DraftData<K>[F] }
  : DraftData<K>;

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
export type Draft = { [K in EventKind]: { readonly kind: K; readonly data: DraftData<K> } }[EventKind];

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
  /** The version of its data as it was written; `data` is that of the newest. */
  readonly v: number;
}

/** An event as `evolve` knows it: its data in the newest version of its kind, whichever it was written in. */
export type LedgerEvent = { [K in EventKind]: Envelope & { readonly kind: K; readonly data: EventData<K> } }[EventKind];
export type EventOf<K extends EventKind> = Extract<LedgerEvent, { kind: K }>;
