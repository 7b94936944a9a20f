import Type, { type Static } from 'typebox';
import { validator } from '../schema/validate.ts';

export const LIVE_STREAM = 'STREAMS';

/** Live series of every plan. */
export const ALL_LIVE = 'streams.>';

const ProgressSchema = Type.Object({
  step_id: Type.String({ maxLength: 64 }),
  fraction: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  message: Type.Optional(Type.String()),
});

/** What a running step says of itself; live data, never in the ledger. */
export type Progress = Static<typeof ProgressSchema>;

export const parseProgress = validator(ProgressSchema, 'ERR_SCHEMA');

/** Of one plan, or of all. */
export const progressSubject = (planId = '*'): string => `streams.${planId}.progress`;

export const planOfProgress = (subject: string): string | undefined =>
  /^streams\.([^.]+)\.progress$/.exec(subject)?.[1];
