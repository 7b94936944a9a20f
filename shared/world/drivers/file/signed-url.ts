/**
 * Signed URLs of the `file` driver. What the URL allows is written in its query and bound by an HMAC: method, path,
 * expiry, size limit, content type, upload id. The host is not, so one URL works on every endpoint of the gateway.
 */
import { IsomorphError } from '../../../errors/isomorph-error.ts';
import { isSignature, signatureOf } from '../../../hash/signature.ts';
import { keyOf } from '../../../ids/world-path.ts';
import type { StoreOptions } from '../../artifact-store.ts';

export interface GetGrant {
  readonly method: 'GET';
  /** Canonical. */
  readonly path: string;
  /** Unix seconds; the URL is good before this instant. */
  readonly expiresS: number;
  /** Execution whose use of the URL is counted together with its other use; empty: of nobody. */
  readonly readerId: string;
}

export interface PutGrant {
  readonly method: 'PUT';
  readonly path: string;
  readonly expiresS: number;
  readonly uploadId: string;
  readonly maxBytes: number;
  readonly contentType: string;
}

export type UrlGrant = GetGrant | PutGrant;

const PARAMETER = {
  expires: 'x-isomorph-expires',
  reader: 'x-isomorph-reader',
  upload: 'x-isomorph-upload',
  maxBytes: 'x-isomorph-max-bytes',
  contentType: 'x-isomorph-content-type',
  signature: 'x-isomorph-signature',
} as const;

export const SECRET_BYTES_MIN = 16;

/** @throws IsomorphError ERR_CONFIG */
export function checkSecret(secret: Uint8Array): void {
  if (secret.byteLength >= SECRET_BYTES_MIN) return;
  throw new IsomorphError('ERR_CONFIG', 'the secret of the artifact gateway is too short', {
    expected: `at least ${SECRET_BYTES_MIN} random bytes`,
  });
}

/**
 * Where URLs of a store lead, and what they are signed with.
 * @throws IsomorphError ERR_CONFIG
 */
export function gatewayOf({ gatewayUrl, gatewaySecret }: Pick<StoreOptions, 'gatewayUrl' | 'gatewaySecret'>) {
  if (gatewayUrl === undefined || gatewaySecret === undefined) {
    throw new IsomorphError('ERR_CONFIG', 'the file store was opened without a gateway, so it cannot sign URLs', {
      expected: 'gatewayUrl and gatewaySecret',
    });
  }
  checkSecret(gatewaySecret);
  return { url: gatewayUrl, secret: gatewaySecret };
}

function signed(grant: UrlGrant, secret: Uint8Array): string {
  const bound =
    grant.method === 'GET'
      ? ['isomorph-url-1', grant.method, grant.path, grant.expiresS, ...(grant.readerId === '' ? [] : [grant.readerId])]
      : [
          ...['isomorph-url-1', grant.method, grant.path, grant.expiresS],
          ...[grant.uploadId, grant.maxBytes, grant.contentType],
        ];
  return signatureOf(JSON.stringify(bound), secret, 'hex');
}

/** @param gatewayUrl e.g. `http://127.0.0.1:4300` */
export function signUrl(gatewayUrl: string, grant: UrlGrant, secret: Uint8Array): string {
  const url = new URL(gatewayUrl);
  url.pathname = `/${keyOf(grant.path).split('/').map(encodeURIComponent).join('/')}`;
  url.searchParams.set(PARAMETER.expires, String(grant.expiresS));
  if (grant.method === 'GET' && grant.readerId !== '') url.searchParams.set(PARAMETER.reader, grant.readerId);
  if (grant.method === 'PUT') {
    url.searchParams.set(PARAMETER.upload, grant.uploadId);
    url.searchParams.set(PARAMETER.maxBytes, String(grant.maxBytes));
    url.searchParams.set(PARAMETER.contentType, grant.contentType);
  }
  url.searchParams.set(PARAMETER.signature, signed(grant, secret));
  return url.href;
}

function readGrant(method: string, url: URL): UrlGrant | undefined {
  const parameter = (name: string): string => url.searchParams.get(name) ?? '';
  const path = decodeURIComponent(url.pathname);
  const expiresS = Number(parameter(PARAMETER.expires));
  if (method === 'GET') return { method, path, expiresS, readerId: parameter(PARAMETER.reader) };
  if (method !== 'PUT') return undefined;
  return {
    method,
    path,
    expiresS,
    uploadId: parameter(PARAMETER.upload),
    maxBytes: Number(parameter(PARAMETER.maxBytes)),
    contentType: parameter(PARAMETER.contentType),
  };
}

/**
 * What a request is allowed, or undefined; why not is nobody's business.
 * @param target the request target of HTTP: path and query
 */
export function verifyUrl(method: string, target: string, secret: Uint8Array, nowMs: number): UrlGrant | undefined {
  let url: URL;
  let grant: UrlGrant | undefined;
  try {
    url = new URL(target, 'http://gateway.invalid');
    grant = readGrant(method, url);
  } catch {
    // A target that does not parse was not signed by us.
    return undefined;
  }
  if (grant === undefined) return undefined;
  if (!isSignature(url.searchParams.get(PARAMETER.signature) ?? '', signed(grant, secret))) return undefined;
  return nowMs < grant.expiresS * 1000 ? grant : undefined;
}
