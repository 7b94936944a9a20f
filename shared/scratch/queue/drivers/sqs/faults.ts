/** What the SDK throws, as codes of ours; servers differ in the names. Its error objects stay inside: they repeat key ids. */
import type { ErrorCode } from '../../../../errors/codes.ts';
import { IsomorphError } from '../../../../errors/isomorph-error.ts';

const MISSING = /NonExistentQueue|QueueDoesNotExist/;
/** `InvalidParameterValue`: AWS says so of the handle of a FIFO queue that has expired. */
const RECEIPT = /ReceiptHandleIsInvalid|InvalidReceiptHandle|InvalidParameterValue|MessageNotInflight|InvalidIdFormat/;
const PASSING =
  /Throttl|TooManyRequests|OverLimit|ServiceUnavailable|InternalError|InternalFailure|QueueDeletedRecently|RequestTimeout/;
const REFUSED =
  /AccessDenied|InvalidClientTokenId|UnrecognizedClient|SignatureDoesNotMatch|ExpiredToken|InvalidSecurity/;

/** Name and status of an answer that was an error; a failed entry of a batch has no status. */
export interface Refusal {
  readonly name: string;
  readonly status: number | undefined;
}

export const isMissingQueue = ({ name }: Refusal): boolean => MISSING.test(name);
export const isBadHandle = (refusal: Refusal): boolean => RECEIPT.test(refusal.name) || isMissingQueue(refusal);

/** An error answer of the server; its name is what the server called it. */
export class SqsRefusal extends Error implements Refusal {
  readonly status: number | undefined;

  constructor(name: string, status: number | undefined) {
    super(`the server answered ${name}`);
    this.name = name;
    this.status = status;
  }
}

/** The SDK's errors of answers as `SqsRefusal`; other errors as they are. */
export function sqsRefusal(error: unknown): unknown {
  const metadata = error instanceof Error && '$metadata' in error ? error.$metadata : undefined;
  const status = (metadata as { httpStatusCode?: unknown } | undefined)?.httpStatusCode;
  return error instanceof Error && typeof status === 'number' ? new SqsRefusal(error.name, status) : error;
}

function codeOf({ name, status = 0 }: Refusal): ErrorCode {
  if (REFUSED.test(name) || status === 401 || status === 403) return 'ERR_CONFIG';
  return PASSING.test(name) || status === 429 || status >= 500 ? 'ERR_UNAVAILABLE' : 'ERR_INTERNAL';
}

function translated(what: string, error: unknown): unknown {
  if (error instanceof SqsRefusal) return new IsomorphError(codeOf(error), `sqs ${what}: ${error.message}`);
  if (!(error instanceof Error) || error instanceof IsomorphError) return error;
  if (error.name === 'CredentialsProviderError') {
    const expected = 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role';
    return new IsomorphError('ERR_CONFIG', `sqs ${what}: no AWS credentials were found`, { expected });
  }
  const why = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
  const isConnection = why !== error.name || /^(TimeoutError|AbortError)$/.test(why);
  return isConnection ? new IsomorphError('ERR_UNAVAILABLE', `sqs ${what}: no answer (${why})`) : error;
}

/** Runs an operation, its faults translated. */
export async function guarded<T>(what: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw translated(what, error);
  }
}
