/** What every use of a Modal account has in common: its environments, and what the SDK throws. */
import { IsomorphError } from '../../errors/isomorph-error.ts';

const GRPC = { invalidArgument: 3, notFound: 5, permissionDenied: 7, unauthenticated: 16 };
/** Cancelled, unknown, deadline exceeded, internal, unavailable: what the SDK itself repeats. */
const PASSING: readonly (number | undefined)[] = [1, 2, 4, 13, 14];

/** The gRPC status of what the SDK threw. */
const statusOf = (error: unknown): number | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined;

export const isNotFound = (error: unknown): boolean =>
  statusOf(error) === GRPC.notFound || (error instanceof Error && error.name === 'NotFoundError');

/** Whether the same call may well succeed a moment later. */
export const isPassingStatus = (error: unknown): boolean => PASSING.includes(statusOf(error));

/** Whether the account may not do it, or there is none. */
export function isRefused(error: unknown): boolean {
  const status = statusOf(error);
  const message = error instanceof Error ? error.message : String(error);
  return status === GRPC.unauthenticated || status === GRPC.permissionDenied || message.includes('credentials');
}

/** What the SDK threw, as an error of ours. */
export function toModalError(error: unknown): IsomorphError {
  if (error instanceof IsomorphError) return error;
  const message = `Modal: ${error instanceof Error ? error.message : String(error)}`;
  if (isRefused(error)) {
    return new IsomorphError('ERR_CONFIG', message, { expected: 'MODAL_TOKEN_ID and MODAL_TOKEN_SECRET' }, error);
  }
  if (statusOf(error) === GRPC.invalidArgument) return new IsomorphError('ERR_INTERNAL', message, {}, error);
  return new IsomorphError('ERR_UNAVAILABLE', message, {}, error);
}

const ENVIRONMENT = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

/**
 * The environment that the text behind `modal:` names; `''` is the default one of the token.
 * @throws IsomorphError ERR_CONFIG
 */
export function environmentNamed(text: string): string {
  if (text === '' || ENVIRONMENT.test(text)) return text;
  throw new IsomorphError('ERR_CONFIG', 'no usable modal: URL', { expected: 'modal: or modal:<environment>' });
}

/** The same of a URL. @throws IsomorphError ERR_CONFIG */
export const environmentOf = ({ href, protocol }: URL): string => environmentNamed(href.slice(protocol.length));
