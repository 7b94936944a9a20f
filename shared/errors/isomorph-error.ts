import { type ErrorCode, isRetryable } from './codes.ts';

export interface ErrorPlace {
  /** JSON Pointer (RFC 6901) into the input, or another exact place. */
  readonly pointer?: string;
  /** What would have been right there. */
  readonly expected?: string;
}

/** One fault of an input: its code, its place and what was expected. Plain data, fit for events and JSON output. */
export interface Fault extends ErrorPlace {
  readonly code: ErrorCode;
  readonly message: string;
}

/** The one error class that crosses a module border. Act on `code`; `message` is for people. */
export class IsomorphError extends Error {
  override readonly name = 'IsomorphError';
  readonly code: ErrorCode;
  readonly place: ErrorPlace;

  constructor(code: ErrorCode, message: string, place: ErrorPlace = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.place = place;
  }

  get retryable(): boolean {
    return isRetryable(this.code);
  }

  toFault(): Fault {
    return { code: this.code, message: this.message, ...this.place };
  }
}

export const fault = (code: ErrorCode, message: string, place: ErrorPlace = {}): Fault => ({ code, message, ...place });

/** Any thrown value as a fault; an error that is not ours is `ERR_INTERNAL`. */
export const toFault = (thrown: unknown): Fault =>
  thrown instanceof IsomorphError
    ? thrown.toFault()
    : fault('ERR_INTERNAL', thrown instanceof Error ? thrown.message : String(thrown));

/** Marks the end of an exhaustive switch: a new member of the union fails to compile here. */
export function unreachable(value: never): never {
  throw new IsomorphError('ERR_INTERNAL', `unhandled case: ${JSON.stringify(value)}`);
}
