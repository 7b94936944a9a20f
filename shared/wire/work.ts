import Type, { type Static } from 'typebox';
import type { Adapter } from '../ids/adapter.ts';
import { PLAN_ID } from '../ids/ids.ts';
import { Count, ExecutionId, Timestamp } from '../ledger/events.ts';
import { validator } from '../schema/validate.ts';
import { jsonIn } from '../text/json-in.ts';

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

/** Where earlier versions kept deadlines of plans, and the ends of what plans left in scratch. */
export const RETIRED_WORK = { timers: 'work.timer', purges: 'work.purge' } as const;

const checkPurge = validator(Type.Object({ plan_id: PlanId, not_before: Timestamp }), 'ERR_SCHEMA');

/** The end of what a settled plan left in scratch, as earlier versions kept it: setup makes an alarm of it. */
export const parseRetiredPurge = (data: Uint8Array) => checkPurge(jsonIn(data));

const parseAny = validator(Type.Object({ plan_id: PlanId }), 'ERR_SCHEMA');

/** The plan that a document of the stream speaks of; undefined when it names none. */
export function planOfWork(document: unknown): string | undefined {
  const parsed = parseAny(document);
  return parsed.ok ? parsed.value.plan_id : undefined;
}
