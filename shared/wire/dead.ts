import Type, { type Static } from 'typebox';
import { isPlanId } from '../ids/ids.ts';
import { validator } from '../schema/validate.ts';
import { isPrincipal } from './commands.ts';

export const DEAD_STREAM = 'DEAD';

/** Dead letters of every stream. */
export const ALL_DEAD = 'dead.>';

/** Where the message named no principal, or no plan, as one can be called. */
const NOBODY = '_';

/** Whose a dead letter is; undefined for what is not known. */
export interface DeadAddress {
  readonly stream: string;
  readonly principal: string | undefined;
  readonly planId: string | undefined;
}

/** `dead.<stream>.<principal>.<plan_id>`. */
export function deadSubject({ stream, principal, planId }: DeadAddress): string {
  const who = principal !== undefined && isPrincipal(principal) ? principal : NOBODY;
  return `dead.${stream.toLowerCase()}.${who}.${isPlanId(planId) ? planId : NOBODY}`;
}

/** Dead letters of a stream, of anybody and any plan unless told. */
export const deadFilter = (stream = '*', principal = '*', planId = '*'): string =>
  `dead.${stream.toLowerCase()}.${principal}.${planId}`;

/** What each principal may hear. */
export const deadOf = (principal: string): string => `dead.*.${principal}.>`;

/** Whose a stored letter is. Those of earlier versions, `dead.<stream>.<plan_id>`, name no principal. */
export function parseDeadSubject(subject: string): DeadAddress {
  const [, stream = '', ...rest] = subject.split('.');
  const [principal, planId] = rest.length === 1 ? [NOBODY, ...rest] : rest;
  const known = (token: string | undefined) => (token === NOBODY ? undefined : token);
  return { stream: stream.toUpperCase(), principal: known(principal), planId: known(planId) };
}

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

export const parseDeadLetter = validator(DeadLetterSchema, 'ERR_SCHEMA');

/** Of a letter only why: that much is readable whoever wrote it. */
export const parseDeadFault = validator(Type.Pick(DeadLetterSchema, ['fault']), 'ERR_SCHEMA');
