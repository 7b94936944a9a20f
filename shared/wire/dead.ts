import Type, { type Static } from 'typebox';
import { validator } from '../schema/validate.ts';

export const DEAD_STREAM = 'DEAD';

/** Dead letters of every stream. */
export const ALL_DEAD = 'dead.>';

/** `dead.<stream>.<plan_id>`, with `_` where the message named no plan. A reader asks for all with `*`. */
export const deadSubject = (stream: string, planId = '_'): string => `dead.${stream.toLowerCase()}.${planId}`;

const DeadLetterSchema = Type.Object({
  /** `code` is open here: a reader may be older than the writer. */
  fault: Type.Object({
    code: Type.String(),
    message: Type.String(),
    pointer: Type.Optional(Type.String()),
    expected: Type.Optional(Type.String()),
  }),
  stream: Type.String(),
  seq: Type.Integer(),
  subject: Type.String(),
  deliveries: Type.Integer(),
  body_base64: Type.String(),
  body_truncated: Type.Boolean(),
});

/** What could not be handled, and why. */
export type DeadLetter = Static<typeof DeadLetterSchema>;

/** Of a letter only why: that much is readable whoever wrote it. */
export const parseDeadFault = validator(Type.Pick(DeadLetterSchema, ['fault']), 'ERR_SCHEMA');
