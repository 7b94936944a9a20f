/** Exit codes of the processor contract. */
export const EXIT_SUCCESS = 0;
export const EXIT_FAILURE = 1;
export const EXIT_BAD_INPUT = 65;
export const EXIT_TRANSIENT = 75;

export interface ProcessorErrorOptions {
  /** A code of Isomorph's error table; `ERR_EXIT` by default. */
  readonly code?: string;
  readonly cause?: unknown;
}

/** A failure that ends the execution: reported with its code, then the process exits with `exitCode`. */
export class ProcessorError extends Error {
  override readonly name: string = 'ProcessorError';
  readonly exitCode: number = EXIT_FAILURE;
  readonly code: string;
  /** Tells the retry policy whether the same work may succeed later; undefined leaves it to the code. */
  readonly retryable: boolean | undefined = undefined;

  constructor(message: string, options: ProcessorErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code ?? 'ERR_EXIT';
  }
}

/** These inputs or params can never succeed: exit 65, not retried. */
export class BadInputError extends ProcessorError {
  override readonly name = 'BadInputError';
  override readonly exitCode = EXIT_BAD_INPUT;
  override readonly retryable = false;
}

/** A passing fault: exit 75, the retry policy may try again. */
export class TransientError extends ProcessorError {
  override readonly name = 'TransientError';
  override readonly exitCode = EXIT_TRANSIENT;
  override readonly retryable = true;
}
