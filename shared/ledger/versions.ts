import Type, { type Static, type TSchema } from 'typebox';
import { STEP_ID } from '../ids/ids.ts';
import {
  ANONYMOUS,
  Cid,
  Count,
  EVENT_DATA,
  type EventData,
  type EventKind,
  ExecutionId,
  Path,
  record,
  Text,
  Timestamp,
  Token,
} from './events.ts';

/** A version of a kind's data that is no longer written. */
interface Past {
  readonly schema: TSchema;
  /** The same in the version that follows it. */
  readonly upcast: (data: never) => unknown;
}

const before = <K extends EventKind, S extends TSchema>(
  _kind: K,
  schema: S,
  upcast: (data: Static<S>) => EventData<K>,
): Past => ({ schema, upcast });

/** Before there was the `worker` runtime. */
const AdapterV1 = Type.Enum(['local', 'mock', 'modal']);
const EnvironmentV1 = record({
  adapter: AdapterV1,
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

/**
 * What earlier versions wrote, oldest first, for kinds that have more than one. A schema here never changes: ledgers
 * hold it for ever. Before the newest version of a kind is changed, it is copied here.
 */
const PAST: Partial<Record<EventKind, readonly Past[]>> = {
  'plan.submitted': [
    before('plan.submitted', record({ plan_path: Path, plan_cid: Cid, bytes: Count }), (data) => ({
      ...data,
      principal: ANONYMOUS,
      command_seq: 0,
    })),
  ],
  'plan.admitted': [
    before(
      'plan.admitted',
      record({
        admitted_path: Path,
        admitted_cid: Cid,
        policy: Token,
        steps: Count,
        budget_limit_usd_micro: Count,
        deadline: Timestamp,
      }),
      (data) => ({ ...data, predicates: null, timeout_s: null }),
    ),
  ],
  'execution.scheduled': [
    before(
      'execution.scheduled',
      record({
        execution_id: ExecutionId,
        step_id: Type.String({ pattern: STEP_ID.source }),
        attempt: Type.Integer({ minimum: 1 }),
        processor: Token,
        adapter: AdapterV1,
        not_before: Timestamp,
      }),
      (data) => data,
    ),
  ],
  'execution.succeeded': [
    before(
      'execution.succeeded',
      record({ execution_id: ExecutionId, duration_ms: Count, environment: EnvironmentV1 }),
      (data) => data,
    ),
  ],
  'execution.failed': [
    before(
      'execution.failed',
      record({
        execution_id: ExecutionId,
        code: Token,
        message: Text,
        retryable: Type.Boolean(),
        duration_ms: Count,
        exit_code: Type.Optional(Type.Integer()),
        log_tail: Type.Optional(Text),
        environment: Type.Optional(EnvironmentV1),
      }),
      (data) => data,
    ),
  ],
  'execution.started': [
    before(
      'execution.started',
      record({
        execution_id: ExecutionId,
        worker: Token,
        deadline: Timestamp,
        params_cid: Cid,
        inputs: Type.Record(Type.String(), record({ path: Path, cid: Cid })),
      }),
      // A dispatcher lived one session and was named by it.
      (data) => ({ ...data, session: data.worker }),
    ),
  ],
  'execution.lost': [
    // 0 stood for what nobody knew, too: what was written stays as it is.
    before('execution.lost', record({ execution_id: ExecutionId, reason: Text, duration_ms: Count }), (data) => data),
  ],
  'execution.settled': [
    before(
      'execution.settled',
      record({ execution_id: ExecutionId, receipt_path: Path, receipt_cid: Cid, memo_key: Cid }),
      // No receipt, no end.
      (data) => ({ ...data, receipt_stored: true }),
    ),
  ],
};

const pastOf = (kind: EventKind): readonly Past[] => PAST[kind] ?? [];

/** The version in which a kind is written today. */
export const newestVersion = (kind: EventKind): number => pastOf(kind).length + 1;

/** Every version of a kind's data, oldest first: the first is version 1. */
export const schemasOf = (kind: EventKind): readonly TSchema[] => [
  ...pastOf(kind).map(({ schema }) => schema),
  EVENT_DATA[kind],
];

/** Data of version `v` of a kind, which its schema accepts, in the newest version. */
export function upcast(kind: EventKind, v: number, data: unknown): unknown {
  return pastOf(kind)
    .slice(v - 1)
    .reduce((value, past) => past.upcast(value as never), data);
}
