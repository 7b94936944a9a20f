/** Input checks that KV and queues share. Each throws IsomorphError with the place and what was expected there. */
import { IsomorphError } from '../errors/isomorph-error.ts';
import { PLAN_ID } from '../ids/ids.ts';

export const MAX_KEY_BYTES = 512;
/** A year: beyond it a time is more likely a mistake of units. */
export const MAX_TIME_S = 366 * 86_400;

export function checkPlanId(planId: string): void {
  if (typeof planId === 'string' && PLAN_ID.test(planId)) return;
  throw new IsomorphError('ERR_PLAN_ID', 'no usable plan id', { pointer: '/planId', expected: `${PLAN_ID}` });
}

/** UTF-16 units of at most three bytes each: short texts need no counting. */
const BYTES_PER_UNIT = 3;

/** @throws ERR_SCHEMA unless it is Unicode text of 1 to 512 bytes. */
export function checkText(text: string, pointer: string): void {
  const fits =
    typeof text === 'string' &&
    text.length > 0 &&
    text.length <= MAX_KEY_BYTES &&
    text.isWellFormed() &&
    (text.length * BYTES_PER_UNIT <= MAX_KEY_BYTES || Buffer.byteLength(text) <= MAX_KEY_BYTES);
  if (fits) return;
  const expected = `Unicode text of 1 to ${MAX_KEY_BYTES} bytes of UTF-8, without lone surrogates`;
  throw new IsomorphError('ERR_SCHEMA', `${pointer.slice(1)} is not usable`, { pointer, expected });
}

/** @throws ERR_SCHEMA for what is no bytes, ERR_TOO_LARGE beyond `maxBytes`. */
export function checkBytes(bytes: Uint8Array, maxBytes: number, pointer: string): void {
  if (!(bytes instanceof Uint8Array)) {
    throw new IsomorphError('ERR_SCHEMA', `${pointer.slice(1)} is not bytes`, { pointer, expected: 'a Uint8Array' });
  }
  if (bytes.byteLength <= maxBytes) return;
  const expected = `at most ${maxBytes} bytes`;
  throw new IsomorphError('ERR_TOO_LARGE', `${bytes.byteLength} bytes are too many`, { pointer, expected });
}

export interface TimeRange {
  readonly minS: number;
  /** What the backend can do. */
  readonly maxS: number;
  readonly pointer: string;
}

/**
 * Seconds as whole milliseconds, rounded up.
 * @throws ERR_SCHEMA for what is no time of at least `minS`, ERR_UNIMPLEMENTED beyond `maxS`.
 */
export function checkTimeMs(seconds: number, { minS, maxS, pointer }: TimeRange): number {
  if (typeof seconds !== 'number' || !(seconds >= minS && seconds <= MAX_TIME_S)) {
    const expected = `seconds from ${minS} to ${MAX_TIME_S}`;
    throw new IsomorphError('ERR_SCHEMA', `${pointer.slice(1)} is no usable time`, { pointer, expected });
  }
  if (seconds > maxS) {
    const message = `this backend offers at most ${maxS} s`;
    throw new IsomorphError('ERR_UNIMPLEMENTED', message, { pointer, expected: `at most ${maxS}` });
  }
  return Math.ceil(seconds * 1_000);
}

/** @throws ERR_SCHEMA */
export function checkInteger(value: number, min: number, max: number, pointer: string): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  const expected = `an integer from ${min} to ${max}`;
  throw new IsomorphError('ERR_SCHEMA', `${pointer.slice(1)} is not usable`, { pointer, expected });
}
