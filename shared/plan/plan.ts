import Type, { type Static } from 'typebox';
import { AdapterSchema } from '../ids/adapter.ts';
import { PLAN_ID, PROCESSOR_REF, STEP_ID } from '../ids/ids.ts';
import { RequirementsSchema } from './requirements.ts';

/** Limits of one plan document. `bytes` counts its canonical form (RFC 8785). */
export const PLAN_LIMITS = { bytes: 256 * 1024, steps: 10_000, attempts: 20 } as const;

const closed = { additionalProperties: false } as const;

/** The output of another step of the same plan; it implies `needs`. */
const StepOutputSchema = Type.Object(
  { step: Type.String({ pattern: STEP_ID.source }), output: Type.String({ minLength: 1, maxLength: 512 }) },
  closed,
);

const InputSchema = Type.Union([Type.String({ minLength: 1, maxLength: 1024 }), StepOutputSchema]);

const RetrySchema = Type.Object(
  {
    max_attempts: Type.Integer({ minimum: 1, maximum: PLAN_LIMITS.attempts }),
    backoff_s: Type.Optional(Type.Number({ minimum: 0, maximum: 3600, default: 1 })),
    backoff_factor: Type.Optional(Type.Number({ minimum: 1, maximum: 10, default: 2 })),
  },
  closed,
);

/** For how long a step may wait for a slot, once all it needs is there: how long it may run is its processor's `timeout_s`. */
const QueueTimeoutSchema = Type.Integer({ minimum: 1, maximum: 30 * 86_400 });

/** A named pure check. Every field beside `use` is an argument of that predicate; its own schema checks them. */
const PredicateCallSchema = Type.Object(
  { use: Type.String({ minLength: 1, maxLength: 64 }) },
  { additionalProperties: true },
);

const LeaseSchema = Type.Object(
  {
    selector: Type.String({ minLength: 1, maxLength: 1024 }),
    mode: Type.Union([Type.Literal('read'), Type.Literal('write')]),
  },
  closed,
);

export const StepSchema = Type.Object(
  {
    id: Type.String({ pattern: STEP_ID.source }),
    processor: Type.String({ pattern: PROCESSOR_REF.source }),
    params: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    inputs: Type.Optional(Type.Record(Type.String({ pattern: '^[a-z0-9_]{1,64}$' }), InputSchema, closed)),
    needs: Type.Optional(Type.Array(Type.String({ pattern: STEP_ID.source }))),
    adapter: Type.Optional(AdapterSchema),
    write_prefix: Type.Optional(Type.String({ minLength: 1, maxLength: 1024 })),
    retry: Type.Optional(RetrySchema),
    queue_timeout_s: Type.Optional(QueueTimeoutSchema),
    requires: Type.Optional(RequirementsSchema),
    predicates: Type.Optional(Type.Array(PredicateCallSchema, { maxItems: 100 })),
    leases: Type.Optional(Type.Array(LeaseSchema, { maxItems: 100 })),
  },
  closed,
);

export const PlanSchema = Type.Object(
  {
    plan_id: Type.String({ pattern: PLAN_ID.source }),
    title: Type.Optional(Type.String({ maxLength: 200 })),
    policy: Type.Optional(Type.String({ pattern: '^[a-z0-9][a-z0-9_-]{0,62}$' })),
    adapter: Type.Optional(AdapterSchema),
    timeout_s: Type.Optional(Type.Integer({ minimum: 1, maximum: 30 * 86_400 })),
    queue_timeout_s: Type.Optional(QueueTimeoutSchema),
    budget: Type.Object({ limit_usd_micro: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }) }, closed),
    steps: Type.Array(StepSchema, { minItems: 1, maxItems: PLAN_LIMITS.steps }),
    predicates: Type.Optional(Type.Array(PredicateCallSchema, { maxItems: 100 })),
  },
  { ...closed, $id: 'https://isomorph.dev/schemas/plan.json' },
);

/** What a client publishes on `plans.submit`. */
export type Plan = Static<typeof PlanSchema>;
export type PlanStep = Static<typeof StepSchema>;
export type PredicateCall = Static<typeof PredicateCallSchema>;
