import serialize from 'canonicalize';
import { IsomorphError } from '../errors/isomorph-error.ts';

const encoder = new TextEncoder();

/**
 * The canonical text of a JSON value (RFC 8785, JCS).
 * @throws ERR_SCHEMA for what JSON cannot hold: NaN, infinities, lone surrogates, functions, undefined at the top.
 */
export function canonicalText(value: unknown): string {
  let text: string | undefined;
  try {
    text = serialize(value);
  } catch (error) {
    throw new IsomorphError('ERR_SCHEMA', `not representable as JSON: ${(error as Error).message}`, {}, error);
  }
  if (text === undefined) throw new IsomorphError('ERR_SCHEMA', 'not representable as JSON');
  return text;
}

/** {@link canonicalText} as UTF-8. */
export const canonicalBytes = (value: unknown): Uint8Array => encoder.encode(canonicalText(value));
