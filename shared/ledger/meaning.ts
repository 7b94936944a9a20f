import { IsomorphError } from '../errors/isomorph-error.ts';
import { validator } from '../schema/validate.ts';
import { ENVELOPE_FIELDS, type RawEvent } from './envelope.ts';
import { EVENT_KINDS, type EventKind, LEDGER_WRITERS, type LedgerEvent } from './events.ts';
import { newestVersion, schemasOf, upcast } from './versions.ts';

/** What an event of the chain says to this version. */
export type Meaning =
  | { readonly kind: 'event'; readonly event: LedgerEvent }
  /** Intact, and written by a later version. */
  | { readonly kind: 'newer'; readonly why: string }
  /** Of a version that is known, and not what that version writes. ERR_COMMIT_INVALID with its place. */
  | { readonly kind: 'illegal'; readonly error: IsomorphError };

const isKind = (kind: string): kind is EventKind => EVENT_KINDS.some((known) => known === kind);
const isWriter = (by: string): boolean => LEDGER_WRITERS.some((known) => known === by);

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
  if (!isKind(kind)) return { kind: 'newer', why: `the kind ${kind} is not known` };
  if (v > newestVersion(kind)) return { kind: 'newer', why: `version ${v} of ${kind} is not known` };
  if (!isWriter(by)) return { kind: 'newer', why: `the writer ${by} is not known` };
  const extra = Object.keys(raw).find((field) => !ENVELOPE_FIELDS.includes(field));
  if (extra !== undefined) {
    return illegal(raw, `no version has a field "${extra}"`, { pointer: `/${extra}`, expected: 'no such field' });
  }
  const data = checks.get(kind)?.[v - 1]?.(raw.data, '/data');
  if (data?.ok !== true) {
    const [first] = data?.faults ?? [];
    return illegal(raw, first?.message ?? 'its data is not usable', first);
  }
  return { kind: 'event', event: { ...raw, data: upcast(kind, v, data.value) } as LedgerEvent };
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
