import { randomUUID } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import { type Handlers, RpcError } from './rpc.ts';

const TOKEN_LIFE_S = 3_600;
/** As of the SDK's default for the environments of Python's test servicer. */
const IMAGE_BUILDER_VERSION = '2024.10';

const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

export interface Credentials {
  readonly tokenId: string;
  readonly tokenSecret: string;
}

type Metadata = (name: string) => string | undefined;

/** @throws RpcError UNAUTHENTICATED unless the call carries the token, and but for AuthTokenGet what that answered. */
export function authenticate(method: string, metadata: Metadata, { tokenId, tokenSecret }: Credentials): void {
  const isKnown = metadata('x-modal-token-id') === tokenId && metadata('x-modal-token-secret') === tokenSecret;
  const hasToken = method === 'AuthTokenGet' || metadata('x-modal-auth-token') !== undefined;
  if (!isKnown || !hasToken) throw new RpcError(status.UNAUTHENTICATED, 'the token is not known');
}

/** A token as the SDK reads it: it looks at nothing but when it expires. */
export function encodedToken(): string {
  const expiry = { exp: Math.floor(Date.now() / 1_000) + TOKEN_LIFE_S };
  return `${encoded({ alg: 'none' })}.${encoded({ ...expiry, jti: randomUUID() })}.${encoded({})}`;
}

/** @throws RpcError UNAUTHENTICATED unless the call to a worker carries a token that some sandbox was given. */
export function authenticateTask(metadata: Metadata, jwts: readonly string[]): void {
  const token = metadata('authorization')?.replace(/^Bearer /, '') ?? '';
  if (!jwts.includes(token)) throw new RpcError(status.UNAUTHENTICATED, 'the token of the task is not known');
}

/** What the SDK asks for before it does anything else. */
export const accountHandlers = (): Handlers => ({
  AuthTokenGet: () => ({ token: encodedToken() }),
  EnvironmentGetOrCreate: ({ deployment_name }: { readonly deployment_name: string }) => ({
    environment_id: `en-${deployment_name || 'main'}`,
    metadata: { name: deployment_name || 'main', settings: { image_builder_version: IMAGE_BUILDER_VERSION } },
  }),
});
