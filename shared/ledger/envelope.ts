import Type, { type Static } from 'typebox';
import { IsomorphError } from '../errors/isomorph-error.ts';
import { blake3Hex } from '../hash/blake3.ts';
import { canonicalText } from '../hash/canonical.ts';
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

/** The number that two digits of a time write. */
const two = (ts: string, at: number): number => (ts.charCodeAt(at) - 48) * 10 + ts.charCodeAt(at + 1) - 48;

const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function daysIn(year: number, month: number): number {
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return month === 2 && isLeap ? 29 : (DAYS[month - 1] ?? 0);
}

/** The pattern of the schema lets 30 February pass, and 24 o'clock. */
function isDate(ts: string): boolean {
  const [year, month, day] = [two(ts, 0) * 100 + two(ts, 2), two(ts, 5), two(ts, 8)];
  return day >= 1 && day <= daysIn(year, month) && two(ts, 11) < 24 && two(ts, 14) < 60 && two(ts, 17) < 60;
}

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

/** Whether a text may be deeper: few have as many brackets, and to count those is far less work. */
function mayBeDeep(line: string): boolean {
  let open = 0;
  for (const bracket of ['{', '[']) {
    for (let at = line.indexOf(bracket); at !== -1; at = line.indexOf(bracket, at + 1)) {
      open += 1;
      if (open > MAX_DEPTH) return true;
    }
  }
  return false;
}

/** A character has three bytes at most: only what is long has to be counted. */
const byteLength = (text: string, limit: number): number =>
  text.length * 3 <= limit ? text.length : encoder.encode(text).byteLength;

/** Most bytes that a reader accepts of an event of version `v`. */
const maxBytes = (v: number): number => (v === 1 ? EVENT_LIMITS.event_bytes_v1 : EVENT_LIMITS.event_bytes);

/**
 * One line of an export or commit as an event, its hash not looked at: {@link checkHash} does.
 * @throws ERR_NOT_AN_EVENT when it has not the form of an event, or is not canonical: other bytes would hash alike
 */
export function parseLine(line: string): RawEvent {
  // Else how deep a reader's stack is would decide whether it is an event.
  if (mayBeDeep(line) && jsonDepth(line) > MAX_DEPTH)
    notAnEvent(`no event: more than ${MAX_DEPTH} objects and arrays in each other`);
  const envelope = checkEnvelope(parseJson(line));
  if (!envelope.ok) {
    const [first] = envelope.faults;
    return notAnEvent(`no event: ${first?.message ?? 'unknown shape'}`, first);
  }
  const raw = envelope.value;
  if (!isDate(raw.ts)) notAnEvent(`no event: ${raw.ts} is no date`, { pointer: '/ts', expected: 'a day that exists' });
  if (canonicalOrUndefined(raw) !== line) notAnEvent(`seq ${raw.seq} is not in canonical form (RFC 8785)`);
  const bytes = byteLength(line, maxBytes(raw.v));
  if (bytes > maxBytes(raw.v)) {
    notAnEvent(`seq ${raw.seq} has ${bytes} bytes`, { expected: `at most ${maxBytes(raw.v)} bytes an event` });
  }
  return raw;
}

/** `"blake3:" + hex(BLAKE3(JCS(event without this_hash)))`. */
export function hashEvent(event: Omit<RawEvent, 'this_hash'>): string {
  const { this_hash: _, ...rest } = event as RawEvent;
  return hashOf(canonicalText(rest));
}

const hashOf = (open: string): string => `blake3:${blake3Hex(open)}`;

type Open = Pick<RawEvent, 'ts' | 'v'>;

/** How the line of an event ends behind its hash, where it has no field of its own there. */
const endOf = ({ ts, v }: Open): string => `,"ts":"${ts}","v":${v}}`;

const hashField = (hash: string): string => `,"this_hash":"${hash}"`;

/** The hash of an event that is to be written, and its line: what is hashed is the line without the hash. */
export function sealLine(open: Omit<RawEvent, 'this_hash'>): { readonly hash: string; readonly line: string } {
  const text = canonicalText(open);
  const hash = hashOf(text);
  const end = endOf(open);
  return { hash, line: text.slice(0, -end.length) + hashField(hash) + end };
}

/** {@link hashEvent} of a line that was parsed: its text is canonical already. */
function hashLine(raw: RawEvent, line: string): string {
  const end = endOf(raw);
  const told = hashField(raw.this_hash) + end;
  return line.endsWith(told) ? hashOf(line.slice(0, -told.length) + end) : hashEvent(raw);
}

/** @throws ERR_CHAIN_BROKEN when an event does not hash to what it says */
export function checkHash(raw: RawEvent, line: string): void {
  const hash = hashLine(raw, line);
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
    checkHash(raw, line);
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
