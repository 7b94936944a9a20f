/** What the SDK throws, as codes of ours. Its error objects stay inside: they hold requests and answers. Pure. */
import { IsomorphError } from '../../../errors/isomorph-error.ts';
import { missingSecret } from '../../values.ts';

/** The second: it is marked for deletion. Matched by name; the HTTP status of both is 400. */
const MISSING = /^(ResourceNotFound|InvalidRequest)Exception$/;
const PASSING =
  /Throttl|TooManyRequests|LimitExceeded|ServiceUnavailable|InternalService|InternalFailure|RequestTimeout/;
const REFUSED =
  /AccessDenied|NotAuthorized|InvalidClientTokenId|UnrecognizedClient|InvalidSignature|SignatureDoesNotMatch|ExpiredToken|IncompleteSignature|DecryptionFailure|Credentials/;

interface Answer {
  readonly name: string;
  /** Undefined when none came. */
  readonly status: number | undefined;
}

function answerOf(error: unknown): Answer {
  if (!(error instanceof Error)) return { name: 'Error', status: undefined };
  const metadata = '$metadata' in error ? (error.$metadata as { httpStatusCode?: unknown } | undefined) : undefined;
  const status = typeof metadata?.httpStatusCode === 'number' ? metadata.httpStatusCode : undefined;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return { name: status === undefined ? (code ?? error.name) : error.name, status };
}

/** An answer that says for sure that there is no such secret. */
export const isMissing = (error: unknown): boolean => MISSING.test(answerOf(error).name);

/** What went wrong with a secret, by its name and by what the server called it. */
export function awsSecretError(name: string, error: unknown): IsomorphError {
  if (error instanceof IsomorphError) return error;
  const answer = answerOf(error);
  if (MISSING.test(answer.name)) return missingSecret(name, 'AWS Secrets Manager has none of this name');
  if (REFUSED.test(answer.name) || answer.status === 401 || answer.status === 403) {
    return new IsomorphError('ERR_CONFIG', `secret ${name} may not be read: AWS Secrets Manager said ${answer.name}`, {
      expected: 'credentials that may secretsmanager:GetSecretValue',
    });
  }
  const { status } = answer;
  if (status === undefined || status === 429 || status >= 500 || PASSING.test(answer.name)) {
    return new IsomorphError('ERR_UNAVAILABLE', `secret ${name}: no answer of AWS Secrets Manager (${answer.name})`);
  }
  return new IsomorphError('ERR_CONFIG', `secret ${name}: AWS Secrets Manager said ${answer.name}`);
}
