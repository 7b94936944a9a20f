import type { Fault } from '../errors/isomorph-error.ts';
import { canonicalBytes } from '../hash/canonical.ts';
import { clip } from '../text/clip.ts';
import { EVENT_LIMITS } from './events.ts';

/** Leaves room for the rest of the event. */
const MAX_BYTES = EVENT_LIMITS.event_bytes / 2;
const MAX_FAULTS = 50;
const MAX_TEXT = 500;

const bounded = ({ code, message, pointer, expected }: Fault): Fault => ({
  code,
  message: clip(message, MAX_TEXT),
  ...(pointer === undefined ? {} : { pointer: clip(pointer, MAX_TEXT) }),
  ...(expected === undefined ? {} : { expected: clip(expected, MAX_TEXT) }),
});

/** As many of the faults, from the first, as one event can carry whatever text they quote. */
export function boundedFaults(faults: readonly Fault[]): Fault[] {
  const kept: Fault[] = [];
  let bytes = 0;
  for (const fault of faults.slice(0, MAX_FAULTS).map(bounded)) {
    bytes += canonicalBytes(fault).byteLength;
    if (bytes > MAX_BYTES) break;
    kept.push(fault);
  }
  return kept;
}
