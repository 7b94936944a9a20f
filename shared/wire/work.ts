import Type, { type Static } from 'typebox';
import type { Adapter } from '../ids/adapter.ts';
import { PLAN_ID } from '../ids/ids.ts';
import { Count, ExecutionId, Timestamp } from '../ledger/events.ts';
import { validator } from '../schema/validate.ts';

const PlanId = Type.String({ pattern: PLAN_ID.source });

const WorkSchema = Type.Object({
  plan_id: PlanId,
  execution_id: ExecutionId,
  /** RFC 3339; not to be started before. */
  not_before: Timestamp,
  /** Stream sequence of the commit that scheduled it: what a reader must have seen. */
  ledger_seq: Count,
});

/** A scheduled execution on its way to a dispatcher that serves its adapter. */
export type Work = Static<typeof WorkSchema>;

export const WORK_STREAM = 'WORK';

/** Everything that dispatchers take. */
export const ALL_WORK = 'work.>';

export const workSubject = (adapter: Adapter): string => `work.${adapter}`;

export const parseWork = validator(WorkSchema, 'ERR_SCHEMA');

const TimerSchema = Type.Object({ plan_id: PlanId, deadline: Timestamp, ledger_seq: Count });

/** The deadline of a plan: somebody must come back for it even when every service was restarted meanwhile. */
export type Timer = Static<typeof TimerSchema>;

export const TIMER_SUBJECT = 'work.timer';

export const parseTimer = validator(TimerSchema, 'ERR_SCHEMA');

const PurgeSchema = Type.Object({
  plan_id: PlanId,
  /** RFC 3339; the scratch of the plan is kept until then. */
  not_before: Timestamp,
});

/** A settled plan whose scratch is to go. */
export type Purge = Static<typeof PurgeSchema>;

export const PURGE_SUBJECT = 'work.purge';

export const parsePurge = validator(PurgeSchema, 'ERR_SCHEMA');

const parseAny = validator(Type.Object({ plan_id: PlanId }), 'ERR_SCHEMA');

/** The plan that a document of the stream speaks of; undefined when it names none. */
export function planOfWork(document: unknown): string | undefined {
  const parsed = parseAny(document);
  return parsed.ok ? parsed.value.plan_id : undefined;
}
