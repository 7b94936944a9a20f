import { IsomorphError } from '../errors/isomorph-error.ts';
import { validator } from '../schema/validate.ts';
import { ENVELOPE_FIELDS, type RawEvent } from './envelope.ts';
import { EVENT_KINDS, type EventKind, LEDGER_WRITERS, type LedgerEvent } from './events.ts';
import { schemasOf, upcast } from './versions.ts';

/** What an event of the chain says to this version. */
export type Meaning =
  | { readonly kind: 'event'; readonly event: LedgerEvent }
  /** Intact, and written by a later version. */
  | { readonly kind: 'newer'; readonly why: string }
  /** Of a version that is known, and not what that version writes. ERR_COMMIT_INVALID with its place. */
  | { readonly kind: 'illegal'; readonly error: IsomorphError };

const writers: ReadonlySet<string> = new Set(LEDGER_WRITERS);

const checks = new Map(
  EVENT_KINDS.map((kind) => [kind, schemasOf(kind).map((schema) => validator(schema, 'ERR_COMMIT_INVALID'))]),
);

function illegal({ kind, seq, plan_id }: RawEvent, why: string, place = {}): Meaning {
  const message = `${kind} at seq ${seq} of ${plan_id}: ${why}`;
  return { kind: 'illegal', error: new IsomorphError('ERR_COMMIT_INVALID', message, place) };
}

/** Pure; the same for the same event, whatever stands before it. */
export function readMeaning(raw: RawEvent): Meaning {
  const { kind, v, by } = raw;
  const versions = checks.get(kind as EventKind);
  if (versions === undefined) return { kind: 'newer', why: `the kind ${kind} is not known` };
  if (v > versions.length) return { kind: 'newer', why: `version ${v} of ${kind} is not known` };
  if (!writers.has(by)) return { kind: 'newer', why: `the writer ${by} is not known` };
  const fields = Object.keys(raw);
  // It has all of those.
  if (fields.length > ENVELOPE_FIELDS.length) {
    const extra = fields.find((field) => !ENVELOPE_FIELDS.includes(field));
    return illegal(raw, `no version has a field "${extra}"`, { pointer: `/${extra}`, expected: 'no such field' });
  }
  const data = versions[v - 1]?.(raw.data, '/data');
  if (data?.ok !== true) {
    const [first] = data?.faults ?? [];
    return illegal(raw, first?.message ?? 'its data is not usable', first);
  }
  const event = v === versions.length ? raw : { ...raw, data: upcast(kind as EventKind, v, data.value) };
  return { kind: 'event', event: event as LedgerEvent };
}

/**
 * The event, for who cannot go on without its meaning.
 * @throws ERR_VERSION when it is newer than this version, ERR_COMMIT_INVALID when its form is not that of its version
 */
export function understood(raw: RawEvent): LedgerEvent {
  const meaning = readMeaning(raw);
  if (meaning.kind === 'event') return meaning.event;
  if (meaning.kind === 'illegal') throw meaning.error;
  throw new IsomorphError('ERR_VERSION', `seq ${raw.seq} of ${raw.plan_id} is newer than this version: ${meaning.why}`);
}
