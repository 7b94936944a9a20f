import { IsomorphError } from '../errors/isomorph-error.ts';
import { canonicalText } from '../hash/canonical.ts';
import type { LedgerEvent } from './events.ts';
import { parseEvent } from './parse-event.ts';

/** `fatal`: bytes that are no UTF-8 must not be repaired into an event that was never written. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const notAnEvent = (message: string): IsomorphError => new IsomorphError('ERR_NOT_AN_EVENT', message);

/** Undefined for what JSON can spell but canonical JSON cannot hold, such as a lone surrogate. */
function canonicalOrUndefined(event: LedgerEvent): string | undefined {
  try {
    return canonicalText(event);
  } catch (error) {
    if (error instanceof IsomorphError && error.code === 'ERR_SCHEMA') return undefined;
    throw error;
  }
}

/**
 * One line of an export or commit as an event.
 * @throws ERR_NOT_AN_EVENT when it is no JSON, no event, or not in canonical form: other bytes would hash alike.
 */
export function decodeLine(line: string): LedgerEvent {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw notAnEvent(`no JSON: ${(error as Error).message}`);
  }
  const event = parseEvent(value);
  if (canonicalOrUndefined(event) !== line) throw notAnEvent(`seq ${event.seq} is not in canonical form (RFC 8785)`);
  return event;
}

export const decodeText = (bytes: Uint8Array): string => {
  try {
    return decoder.decode(bytes);
  } catch (error) {
    throw new IsomorphError('ERR_NOT_AN_EVENT', 'not UTF-8', {}, error);
  }
};
