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
  /** The processor's own name where it has no image. */
  image: Token,
  image_digest: Type.String({ maxLength: 256 }),
  /** The digest is what the process that ran it says of itself. */
  claimed: Type.Optional(Type.Literal(true)),
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
  'lease.declared': record({
    step_id: Token,
    selector: Type.String({ maxLength: 1024 }),
    mode: Type.Union([Type.Literal('read'), Type.Literal('write')]),
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
  'budget.reserved': record({ execution_id: ExecutionId, usd_micro: Count }),
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
  'budget.settled': record({ execution_id: ExecutionId, reserved_usd_micro: Count, actual_usd_micro: Count }),
  'execution.settled': record({
    execution_id: ExecutionId,
    receipt_path: Path,
    receipt_cid: Cid,
    memo_key: Cid,
    /** False where the plan had to end and the store did not take the receipt. */
    receipt_stored: Type.Boolean(),
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

/**
 * What the schemas cannot say, for `docs/events.md`: when a kind is written, and what its fields mean. A test looks for every
 * field of them.
 */
export const EVENT_WORDS: Readonly<Record<EventKind, string>> = {
  'plan.submitted': `By admission, when a command that names a plan has arrived. First event of every chain.
\`plan_path\` \`plan_cid\` the plan as it was sent, in canonical form, an artifact · \`bytes\` its size · \`principal\` who commands; \`anonymous\`
where nobody is named · \`command_seq\` of the command in COMMANDS; 0 where that is not known
Version 1 lacks \`principal\` (\`anonymous\`) and \`command_seq\` (0).`,
  'lease.declared': `By admission, before \`plan.admitted\`, one for each lease of the plan, where \`ISOMORPH_LEASES=declare\`. It is recorded and never enforced.
\`step_id\` · \`selector\` of WorldPaths · \`mode\` \`read\` or \`write\``,
  'plan.admitted': `By admission, in the same commit as \`plan.submitted\`, when the plan is good.
\`admitted_path\` \`admitted_cid\` the plan with its defaults filled in and its registry entries frozen, an artifact: this is what runs, whatever
becomes of the registry · \`policy\` · \`steps\` their number · \`budget_limit_usd_micro\` · \`deadline\` when the plan is cancelled by itself · \`predicates\` their number, those of steps among them ·
\`timeout_s\` which the deadline is made of
Version 1 lacks \`predicates\` and \`timeout_s\`: they are not known then.`,
  'plan.rejected': `By admission, in the same commit as \`plan.submitted\`, when it is not. Last event of its chain, unless another command takes the id.
\`faults\` the first 50 · \`fault_count\` how many there were`,
  'plan.cancel_requested': `By admission at the command of a client, by the dispatcher for a plan that outlived its deadline. Nothing is started any more; what runs is ended.
\`reason\` \`client\` or \`deadline\`; of several, the first counts`,
  'plan.settled': `By the settler, when nothing is open and nothing can start any more. Last event of its chain. Nothing is held of the budget then, and
every execution is settled.
\`status\` \`succeeded\` \`failed\` or \`cancelled\` · \`spent_usd_micro\` · \`faults\` why it did not succeed, and which receipts are not stored, the first 20`,
  'budget.reserved': `By the dispatcher, in front of \`execution.scheduled\`; not for a processor that is read-only. At every event of the ledger, what is spent and what is
held together stay within the limit of the plan.
\`execution_id\` · \`usd_micro\` fixed cost + cost a second × timeout`,
  'execution.scheduled': `By the dispatcher, when what the step needs has succeeded and the budget covers the reserve.
\`execution_id\` · \`step_id\` · \`attempt\` from 1 · \`processor\` · \`adapter\` · \`not_before\` the end of the wait between attempts
Version 1 knows no adapter \`worker\`.`,
  'execution.started': `By the dispatcher that won it, before the processor is started. One execution starts once.
\`execution_id\` · \`worker\` the process that started it · \`session\` the life of the dispatcher that it belongs to · \`deadline\` when the processor is ended · \`params_cid\` of the canonical params ·
\`inputs\` by name: \`path\` and \`cid\` as they were at the start
Version 1 lacks \`session\`: it is the \`worker\`.`,
  'execution.succeeded': `By the dispatcher, when the processor has exited with 0 and every required output is there and hashed; in one commit with their \`artifact.written\`.
\`execution_id\` · \`duration_ms\` · \`environment\` where it ran: adapter, image and digest, cpu, memory, GPU, timeout, region, names of the secrets it was
given, versions of the runtime, and \`claimed\` where the digest is the word of the worker that ran it
Version 1 has no \`claimed\`.`,
  'execution.failed': `By the dispatcher, for every other end that it saw.
\`execution_id\` · \`code\` \`message\` why · \`retryable\` whether the retry policy applies · \`duration_ms\` · \`exit_code\` if it had one ·
\`log_tail\` the last lines, without secrets and signed URLs · \`environment\` if it ran
Version 1 has no \`claimed\` in it.`,
  'execution.lost': `By the dispatcher, when the runtime knows nothing of an execution that was started. It is tried again by itself, ten times at most, and does not count as a failure.
\`execution_id\` · \`reason\` · \`duration_ms\`; null when nobody knows: the whole reserve is charged then
Version 1 has 0 for what is not known.`,
  'budget.settled': `By the settler, after the end, in one commit with \`execution.settled\`.
\`execution_id\` · \`reserved_usd_micro\` what comes free · \`actual_usd_micro\` what is spent: fixed + a second × seconds, rounded up, never more than was reserved`,
  'execution.settled': `By the settler. One for each execution that ended, however it ended.
\`execution_id\` · \`receipt_path\` \`receipt_cid\` the determinism receipt, an artifact · \`memo_key\` equal for executions that must give the same outputs ·
\`receipt_stored\` false where the plan had to end and the store did not take the receipt: then no \`artifact.written\` names it, \`plan.settled\` says so, and the settler
stores it once the store does. The receipt is made from the ledger and the admitted plan alone
Version 1 lacks \`receipt_stored\`: it is true.`,
  'artifact.written': `By the dispatcher for outputs and logs, by the settler for receipts. The path is immutable: a second event for it has the same CID.
\`path\` · \`cid\` · \`sha256\` for verifiers that know only that · \`size\` in bytes · \`content_type\` · \`execution_id\` whose it is, if it is one's.
Outputs lie below the write prefix of the step; logs and receipts below \`/artifacts/executions/<plan_id>/<execution_id>/\`.`,
  'predicate.checked': `By the settler, when every step has succeeded: one for each predicate, in the order of the plan.
\`pointer\` its place in the plan · \`predicate\` its name · \`ok\` · \`found\` what was there, for people`,
  'scratch.queue.published': `A message was published. \`fact_id\` · \`topic\` · \`bytes\` of its body · \`approx_size\` messages in the queue then`,
  'scratch.queue.retry': `A message goes back into its queue. \`fact_id\` · \`topic\` · \`deliveries\` so far · \`delay_s\` until the next`,
  'scratch.queue.deadletter': `A message was given up. \`fact_id\` · \`topic\` · \`deliveries\` · \`reason\`: \`expired\` when nobody answered in time, a code of
[errors.md](errors.md) where its consumer gave that alone, else \`nack\`; what was said in words stays with the dead letter, in scratch`,
  'scratch.kv.changed': `A key was changed. \`fact_id\` · \`key\` · \`op\` \`put\` \`delete\` or \`incr\``,
  'scratch.sampled': `Scratch was copied into the World. \`fact_id\` · \`path\` \`cid\` the artifact · \`dropped\` entries left out`,
  'streams.sampled': `A live series was read up to a point. \`fact_id\` · \`series\` · \`watermark\` the last chunk that was seen · \`every_n\` one of so many chunks is
kept · \`chunk_count\` that were kept · \`dropped_chunks\``,
};

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

/** Who an event can be `by`. Other services, such as projector and gateway, write nothing to the ledger. */
export const LEDGER_WRITERS = ['admission', 'dispatcher', 'settler', 'sampler'] as const;
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
