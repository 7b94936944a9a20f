/**
 * Wake-ups of plans: a message on `alarms.set.<plan_id>` is a schedule of NATS (ADR-51), which the server puts on
 * `alarms.rung.<plan_id>` when it is due. There is one a plan; who sets another replaces it.
 */
import Type, { type Static } from 'typebox';
import { Timestamp } from '../ledger/events.ts';
import { validator } from '../schema/validate.ts';

export const ALARMS_STREAM = 'ALARMS';

export const alarmSubject = (planId = '*'): string => `alarms.set.${planId}`;

/** Where it rings. */
export const rungSubject = (planId = '*'): string => `alarms.rung.${planId}`;

/** Undefined for a subject of another form. */
export const planOfAlarm = (subject: string): string | undefined =>
  /^alarms\.(?:set|rung)\.([a-z0-9][a-z0-9_-]{0,62})$/.exec(subject)?.[1];

const AlarmSchema = Type.Object({
  /** When it rings. */
  due: Timestamp,
});

export type Alarm = Static<typeof AlarmSchema>;

export const parseAlarm = validator(AlarmSchema, 'ERR_SCHEMA');

/** Of a schedule with its headers. */
export const MAX_ALARM_BYTES = 4096;

/**
 * What has rung is kept for this long. When no dispatcher came for it, the next one that starts looks at every open plan that
 * has no alarm.
 */
export const RUNG_KEPT = '1h';
