import { IsomorphError } from '../errors/isomorph-error.ts';
import { validator } from '../schema/validate.ts';
import { EnvelopeSchema, EVENT_DATA, EVENT_KINDS, type EventKind, type LedgerEvent } from './events.ts';

const checkEnvelope = validator(EnvelopeSchema, 'ERR_NOT_AN_EVENT');
const checkData = new Map(EVENT_KINDS.map((kind) => [kind, validator(EVENT_DATA[kind], 'ERR_NOT_AN_EVENT')]));

function reject(message: string, place: { pointer?: string; expected?: string } = {}): never {
  throw new IsomorphError('ERR_NOT_AN_EVENT', message, place);
}

/** The pattern of the schema lets 30 February pass. */
const isDate = (ts: string): boolean => {
  const ms = Date.parse(ts);
  return !Number.isNaN(ms) && new Date(ms).toISOString() === ts;
};

/**
 * A value as an event of the closed union.
 * @throws ERR_NOT_AN_EVENT with the place that is wrong. Says nothing of hashes: the chain does.
 */
export function parseEvent(value: unknown): LedgerEvent {
  const envelope = checkEnvelope(value);
  if (!envelope.ok) {
    const first = envelope.faults[0];
    return reject(`no event: ${first?.message ?? 'unknown shape'}`, first);
  }
  const { ts } = envelope.value;
  if (!isDate(ts)) return reject(`no event: ${ts} is no date`, { pointer: '/ts', expected: 'a day that exists' });
  const kind: EventKind = envelope.value.kind;
  const data = checkData.get(kind)?.(envelope.value.data, '/data');
  if (data === undefined || !data.ok) {
    const first = data?.faults[0];
    return reject(`no ${kind} event: ${first?.message ?? 'unknown kind'}`, first);
  }
  return envelope.value as LedgerEvent;
}
