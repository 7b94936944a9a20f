import Type, { type Static } from 'typebox';
import type { Adapter } from '../ids/adapter.ts';
import { PINNED } from '../ids/image-reference.ts';
import { validator } from '../schema/validate.ts';

/** How admission, which has no container engine, learns what an image is: a request that a dispatcher answers (ADR 17). */
export const pinSubject = (adapter: Adapter): string => `images.${adapter}`;

const PinRequestSchema = Type.Object({ image: Type.String() });
export type PinRequest = Static<typeof PinRequestSchema>;
export const parsePinRequest = validator(PinRequestSchema, 'ERR_SCHEMA');

const PinAnswerSchema = Type.Object({
  /** Absent when the runtime cannot tell. */
  pinned: Type.Optional(Type.String({ pattern: PINNED.source, maxLength: 256 })),
});
export type PinAnswer = Static<typeof PinAnswerSchema>;
export const parsePinAnswer = validator(PinAnswerSchema, 'ERR_SCHEMA');
