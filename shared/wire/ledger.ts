import { IsomorphError } from '../errors/isomorph-error.ts';
import { decodeLine, decodeText, type EventLine, type RawEvent } from '../ledger/envelope.ts';

export const LEDGER_STREAM = 'LEDGER';

/** Every commit of every plan. */
export const WHOLE_LEDGER = 'ledger.>';

/**
 * The ledger stream repeats here what it has stored. A core subscription to {@link WHOLE_LEDGER} hears every publish,
 * those that compare-and-set then refuses included: live readers take this one (ADR 5).
 */
export const COMMITTED_LEDGER = 'committed.ledger.>';

/** Cancellations of any plan, as stored. */
export const COMMITTED_CANCELLATIONS = 'committed.ledger.*.plan.cancel_requested';

/** Commits that end with what becomes of an execution, as stored. */
export const COMMITTED_EXECUTIONS = 'committed.ledger.*.execution.*';

/** The subject under which the ledger has what it repeats under another. */
export const storedSubject = (committed: string): string => committed.replace(/^committed\./, '');

/** Whether a commit ends with the cancellation of its plan, by its subject. */
export const isCancellation = (subject: string): boolean => subject.endsWith('.plan.cancel_requested');

/** `ledger.<plan_id>.<kind of the last event>`. */
export const commitSubject = (last: Pick<RawEvent, 'plan_id' | 'kind'>): string =>
  `ledger.${last.plan_id}.${last.kind}`;

/** Everything of one plan; what compare-and-set guards. */
export const planSubjects = (planId: string): string => `ledger.${planId}.>`;

/** The plan that a subject of the ledger, or of what it repeats, speaks of; undefined when it has not that shape. */
export const planOfSubject = (subject: string): string | undefined =>
  /^(?:committed\.)?ledger\.([a-z0-9][a-z0-9_-]{0,62})\./.exec(subject)?.[1];

const notAnEvent = (message: string): IsomorphError => new IsomorphError('ERR_NOT_AN_EVENT', message);

/**
 * The events of one ledger message, each with its line.
 * @throws ERR_NOT_AN_EVENT when any line is no event, or the message does not belong to `subject`: it is foreign
 */
export function decodeCommit(bytes: Uint8Array, subject: string): EventLine[] {
  const lines = decodeText(bytes)
    .split('\n')
    .map((line) => ({ raw: decodeLine(line), line }));
  const last = lines.at(-1)?.raw;
  if (last === undefined) throw notAnEvent('an empty commit');
  if (lines.some(({ raw }) => raw.plan_id !== last.plan_id)) throw notAnEvent('a commit of more than one plan');
  if (subject !== commitSubject(last)) throw notAnEvent(`its subject is ${subject}, not ${commitSubject(last)}`);
  return lines;
}
