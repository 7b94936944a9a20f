import { isErrorCode } from '../../shared/errors/codes.ts';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import type { RunResult } from '../../shared/runtime/runtime.ts';
import type { ResolvedSecrets } from '../../shared/secrets/resolve.ts';
import { scrubberOf } from '../../shared/text/scrub.ts';
import { scrubCredentials } from '../../shared/text/scrub-credentials.ts';
import { shownOf } from './outcome.ts';

/** Keeps secret values and signed URLs out of what is stored, published or logged of one execution. */
export interface Scrub {
  /** The kept log of a processor. */
  log(text: string): string;
  /** What a processor says in a report. */
  said(text: string): string;
  /** What a runtime or a service of ours says of it. */
  own(text: string): string;
}

/**
 * For an execution with secrets that are not known here: they stay with their provider, or are no longer there after a
 * restart. What cannot be searched for them is not told at all.
 */
export const WITHHOLDING: Scrub = {
  log: (text) =>
    text === '' ? '' : '[log withheld: its secrets are not known here, so it cannot be searched for them]\n',
  said: () => '[withheld]',
  own: scrubCredentials,
};

export function scrubOf({ values, handles }: ResolvedSecrets): Scrub {
  if (handles.length > 0) return WITHHOLDING;
  const scrubber = scrubberOf(values);
  // Secrets first: a value may look like a part of a signed URL.
  const text = (given: string): string => scrubCredentials(scrubber.text(given));
  return { log: (given) => scrubCredentials(scrubber.text(given, { mayBeCut: true })), said: text, own: text };
}

/**
 * The log, searched as it came and as people are shown it: where control characters or reports stood in the middle of a value, as in
 * text of two bytes a character, taking them out would put it together again.
 */
function searched(log: string, scrub: Scrub): string {
  const text = scrub.log(log);
  const shown = shownOf(text);
  const again = scrub.log(shown);
  return again === shown ? text : again;
}

/** A result that may be told. */
export type ScrubbedResult = RunResult & { readonly text: string };

/** One of a run that was followed to its end: its runtime knows how long it ran. */
export type TimedResult = ScrubbedResult & { readonly durationMs: number };

export const isTimed = (result: ScrubbedResult): result is TimedResult => result.durationMs !== null;

/** The result of a run with its words scrubbed, before anything is clipped: a clipped value would not be found. */
export function scrubbed(result: RunResult, scrub: Scrub): ScrubbedResult {
  const { outcome, error } = result;
  return {
    ...result,
    text: searched(Buffer.from(result.log).toString('utf8'), scrub),
    outcome: 'reason' in outcome ? { ...outcome, reason: scrub.own(outcome.reason) } : outcome,
    error: error && {
      ...error,
      code: isErrorCode(error.code) ? error.code : scrub.said(error.code),
      message: scrub.said(error.message),
    },
  };
}

/** An error that was thrown while values were in hand, as one that can be logged. */
export function scrubbedError(thrown: unknown, scrub: Scrub): Error {
  if (thrown instanceof IsomorphError) return new IsomorphError(thrown.code, scrub.own(thrown.message), thrown.place);
  const error = new Error(scrub.own(thrown instanceof Error ? thrown.message : String(thrown)));
  if (thrown instanceof Error && thrown.stack !== undefined) error.stack = scrub.own(thrown.stack);
  return error;
}
