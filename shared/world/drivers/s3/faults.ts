/** What the SDK throws, as codes of ours. Its own error objects stay inside: they repeat key ids and signatures. */
import type { ErrorCode } from '../../../errors/codes.ts';
import { IsomorphError } from '../../../errors/isomorph-error.ts';

/** What is wrong with the configuration at the start, and passes once a start has succeeded. */
const REFUSED_NAMES =
  /^(NoSuchBucket|PermanentRedirect|AuthorizationHeaderMalformed|ExpiredToken|InvalidToken|InvalidBucketName)$/;

/** The HTTP status of an answer that the SDK turned into an error; undefined when there was no answer. */
export function statusOf(error: unknown): number | undefined {
  const metadata = error instanceof Error && '$metadata' in error ? error.$metadata : undefined;
  const status = (metadata as { httpStatusCode?: unknown } | undefined)?.httpStatusCode;
  return typeof status === 'number' ? status : undefined;
}

function codeOf(name: string, status: number): ErrorCode {
  if (REFUSED_NAMES.test(name) || status === 401 || status === 403) return 'ERR_REFUSED';
  if (status === 408 || status === 429 || status === 409 || (status >= 500 && status !== 501)) return 'ERR_UNAVAILABLE';
  if (status === 405 || status === 411 || status === 501) return 'ERR_UNIMPLEMENTED';
  return 'ERR_INTERNAL';
}

/** No answer at all: refused, reset, timed out, cut off in the middle. */
const isConnectionFault = (error: Error): boolean =>
  ('code' in error && typeof error.code === 'string') || /^(TimeoutError|AbortError)$/.test(error.name);

/**
 * @param what the operation and the path, for the message
 * @returns an IsomorphError, or the error itself when it is a defect and no answer of the server
 */
export function translated(what: string, error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof IsomorphError) return error;
  const status = statusOf(error);
  if (status !== undefined) {
    const said = `${error.name} (HTTP ${status})`;
    const expected = status === 403 ? 'credentials that may read, write, list and delete in this bucket' : undefined;
    return new IsomorphError(codeOf(error.name, status), `${what}: the S3 server answered ${said}`, {
      ...(expected === undefined ? {} : { expected }),
    });
  }
  if (error.name === 'CredentialsProviderError') {
    return new IsomorphError('ERR_REFUSED', `${what}: no AWS credentials were found`, {
      expected: 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role',
    });
  }
  if (!isConnectionFault(error)) return error;
  const why = 'code' in error ? String(error.code) : error.name;
  return new IsomorphError('ERR_UNAVAILABLE', `${what}: the S3 server cannot be reached (${why})`);
}

/** Runs an operation, its faults translated. */
export async function guarded<T>(what: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw translated(what, error);
  }
}
