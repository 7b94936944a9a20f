import Type, { type Static } from 'typebox';
import { IsomorphError } from '../errors/isomorph-error.ts';
import { blake3Hex } from '../hash/blake3.ts';
import { canonicalBytes, canonicalText } from '../hash/canonical.ts';
import { PLAN_ID } from '../ids/ids.ts';
import { jsonDepth } from '../schema/json-depth.ts';
import { validator } from '../schema/validate.ts';
import { Cid, EVENT_LIMITS, Timestamp } from './events.ts';

/**
 * The form that every version of every kind has, by which a chain is followed: what stands in it, `readMeaning` asks.
 * Further fields are let pass here: they are hashed and linked like the others, so whoever skipped the event for them
 * would fork the chain.
 */
const EnvelopeSchema = Type.Object(
  {
    by: Type.String({ pattern: '^[a-z0-9_-]{1,63}$' }),
    data: Type.Record(Type.String(), Type.Unknown()),
    kind: Type.String({ pattern: '^[a-z0-9_-]+(\\.[a-z0-9_-]+)+$', maxLength: 64 }),
    plan_id: Type.String({ pattern: PLAN_ID.source }),
    prev_hash: Type.Union([Type.Null(), Cid]),
    seq: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
    this_hash: Cid,
    ts: Timestamp,
    v: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
  },
  { additionalProperties: true },
);

export const ENVELOPE_FIELDS: readonly string[] = Object.keys(EnvelopeSchema.properties);

/** One event as it was written, whatever it means. */
export type RawEvent = Readonly<Static<typeof EnvelopeSchema>>;

const checkEnvelope = validator(EnvelopeSchema, 'ERR_NOT_AN_EVENT');
const encoder = new TextEncoder();

/** `fatal`: bytes that are no UTF-8 must not be repaired into an event that was never written. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function notAnEvent(message: string, place: { pointer?: string; expected?: string } = {}): never {
  throw new IsomorphError('ERR_NOT_AN_EVENT', message, place);
}

/** The pattern of the schema lets 30 February pass. */
const isDate = (ts: string): boolean => {
  const ms = Date.parse(ts);
  return !Number.isNaN(ms) && new Date(ms).toISOString() === ts;
};

/** Undefined for what JSON can spell but canonical JSON cannot hold, such as a lone surrogate. */
function canonicalOrUndefined(event: RawEvent): string | undefined {
  try {
    return canonicalText(event);
  } catch (error) {
    if (error instanceof IsomorphError && error.code === 'ERR_SCHEMA') return undefined;
    throw error;
  }
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    return notAnEvent(`no JSON: ${(error as Error).message}`);
  }
}

/** Objects and arrays in each other; today's events have six. */
const MAX_DEPTH = 64;

/** Most bytes that a reader accepts of an event of version `v`. */
const maxBytes = (v: number): number => (v === 1 ? EVENT_LIMITS.event_bytes_v1 : EVENT_LIMITS.event_bytes);

/**
 * One line of an export or commit as an event, its hash not looked at: {@link checkHash} does.
 * @throws ERR_NOT_AN_EVENT when it has not the form of an event, or is not canonical: other bytes would hash alike
 */
export function parseLine(line: string): RawEvent {
  // Else how deep a reader's stack is would decide whether it is an event.
  if (jsonDepth(line) > MAX_DEPTH) notAnEvent(`no event: more than ${MAX_DEPTH} objects and arrays in each other`);
  const envelope = checkEnvelope(parseJson(line));
  if (!envelope.ok) {
    const [first] = envelope.faults;
    return notAnEvent(`no event: ${first?.message ?? 'unknown shape'}`, first);
  }
  const raw = envelope.value;
  if (!isDate(raw.ts)) notAnEvent(`no event: ${raw.ts} is no date`, { pointer: '/ts', expected: 'a day that exists' });
  if (canonicalOrUndefined(raw) !== line) notAnEvent(`seq ${raw.seq} is not in canonical form (RFC 8785)`);
  const bytes = encoder.encode(line).byteLength;
  if (bytes > maxBytes(raw.v)) {
    notAnEvent(`seq ${raw.seq} has ${bytes} bytes`, { expected: `at most ${maxBytes(raw.v)} bytes an event` });
  }
  return raw;
}

/** `"blake3:" + hex(BLAKE3(JCS(event without this_hash)))`. */
export function hashEvent(event: Omit<RawEvent, 'this_hash'>): string {
  const { this_hash: _, ...rest } = event as RawEvent;
  return `blake3:${blake3Hex(canonicalBytes(rest))}`;
}

/** @throws ERR_CHAIN_BROKEN when an event does not hash to what it says */
export function checkHash(raw: RawEvent): void {
  const hash = hashEvent(raw);
  if (raw.this_hash === hash) return;
  throw new IsomorphError('ERR_CHAIN_BROKEN', `seq ${raw.seq} of ${raw.plan_id}: this_hash is wrong`, {
    pointer: '/this_hash',
    expected: JSON.stringify(hash),
  });
}

/**
 * One line as an event that hashes to what it says. Each event is hashed here and nowhere else.
 * @throws ERR_NOT_AN_EVENT
 */
export function decodeLine(line: string): RawEvent {
  const raw = parseLine(line);
  try {
    checkHash(raw);
  } catch (error) {
    if (!(error instanceof IsomorphError)) throw error;
    return notAnEvent(error.message, error.place);
  }
  return raw;
}

/** @throws ERR_NOT_AN_EVENT for bytes that are not UTF-8 */
export const decodeText = (bytes: Uint8Array): string => {
  try {
    return decoder.decode(bytes);
  } catch (error) {
    throw new IsomorphError('ERR_NOT_AN_EVENT', 'not UTF-8', {}, error);
  }
};

/** An event and the exact canonical text that stands for it in the stream. */
export interface EventLine {
  readonly raw: RawEvent;
  readonly line: string;
}
