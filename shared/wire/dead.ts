import Type, { type Static } from 'typebox';
import { isPlanId } from '../ids/ids.ts';
import { validator } from '../schema/validate.ts';
import { isPrincipal } from './commands.ts';

/** The newest letters of all together: whoever floods fills it. */
export const DEAD_STREAM = 'DEAD';

/** The newest letters of each principal, copied out of DEAD by the server. */
export const DEAD_KEPT_STREAM = 'DEAD_KEPT';

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

/** Subjects on which the letters of one principal from one stream are kept. */
const RING_SUBJECTS = 16;

/** Kept letters of every principal. */
export const ALL_KEPT = 'kept.>';

/**
 * What is kept of a principal from each stream, and of nobody, is a ring: few subjects, each with its newest letters. Whoever
 * floods pushes out letters of its own alone (ADR 105). The plan is in the letter.
 */
export const DEAD_RING = {
  src: 'dead.*.*.*',
  dest: `kept.{{wildcard(1)}}.{{wildcard(2)}}.{{partition(${RING_SUBJECTS},3)}}`,
} as const;

/** How many letters each subject of a ring keeps, for so many of a principal in all. */
export const lettersEach = (ofPrincipal: number): number => Math.ceil(ofPrincipal / RING_SUBJECTS);

/** What each principal may hear. */
export const deadOf = (principal: string): string => `dead.*.${principal}.>`;

/**
 * Whose a letter is by its subject: `dead.<stream>.<principal>.<plan_id>`, as it is kept, `kept.<stream>.<principal>.<n>`, or
 * of an earlier version, `dead.<stream>.<plan_id>`, which names no principal.
 */
export function parseDeadSubject(subject: string): DeadAddress {
  const [kind, stream = '', ...rest] = subject.split('.');
  const [principal, last] = rest.length === 1 ? [NOBODY, ...rest] : rest;
  const planId = kind === 'kept' ? NOBODY : last;
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
  /** Those of earlier versions lack what follows. */
  body_bytes: Type.Optional(Type.Integer()),
  /** Of the whole body: whoever has it knows it again. */
  body_cid: Type.Optional(Type.String()),
  /** The plan that the message spoke of, where it named one. */
  plan_id: Type.Optional(Type.String()),
});

/** What could not be handled, and why. */
export type DeadLetter = Static<typeof DeadLetterSchema>;

export const parseDeadLetter = validator(DeadLetterSchema, 'ERR_SCHEMA');

/** Of a letter only why, and of which message: that much is readable whoever wrote it. */
export const parseDeadFault = validator(
  Type.Object({ fault: DeadLetterSchema.properties.fault, seq: Type.Optional(DeadLetterSchema.properties.seq) }),
  'ERR_SCHEMA',
);
