import { isErrorCode } from '../../shared/errors/codes.ts';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import type { RunResult } from '../../shared/runtime/runtime.ts';
import type { ResolvedSecrets } from '../../shared/secrets/resolve.ts';
import { redact } from '../../shared/text/redact.ts';
import { scrubberOf } from '../../shared/text/scrub.ts';

/** Keeps secret values and signed URLs out of what is stored, published or logged of one execution. */
export interface Censor {
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
export const WITHHOLDING: Censor = {
  log: (text) =>
    text === '' ? '' : '[log withheld: its secrets are not known here, so it cannot be searched for them]\n',
  said: () => '[withheld]',
  own: redact,
};

export function censorOf({ values, handles }: ResolvedSecrets): Censor {
  if (handles.length > 0) return WITHHOLDING;
  const scrubber = scrubberOf(values);
  // Secrets first: a value may look like a part of a signed URL.
  const text = (given: string): string => redact(scrubber.text(given));
  return { log: (given) => redact(scrubber.text(given, { mayBeCut: true })), said: text, own: text };
}

/** The result of a run with its words censored, before anything is clipped: a clipped value would not be found. */
export function censored(result: RunResult, censor: Censor): RunResult & { readonly text: string } {
  const { outcome, error } = result;
  return {
    ...result,
    text: censor.log(Buffer.from(result.log).toString('utf8')),
    outcome: 'reason' in outcome ? { ...outcome, reason: censor.own(outcome.reason) } : outcome,
    error: error && {
      ...error,
      code: isErrorCode(error.code) ? error.code : censor.said(error.code),
      message: censor.said(error.message),
    },
  };
}

/** An error that was thrown while values were in hand, as one that can be logged. */
export function censoredError(thrown: unknown, censor: Censor): Error {
  if (thrown instanceof IsomorphError) return new IsomorphError(thrown.code, censor.own(thrown.message), thrown.place);
  const error = new Error(censor.own(thrown instanceof Error ? thrown.message : String(thrown)));
  if (thrown instanceof Error && thrown.stack !== undefined) error.stack = censor.own(thrown.stack);
  return error;
}
