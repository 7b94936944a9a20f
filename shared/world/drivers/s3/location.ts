/** Reads the URL of a bucket: `s3://bucket[/prefix]?endpoint=…&public_endpoint=…&region=…&path_style=…&create=…`. Pure. */

import { IsomorphError } from '../../../errors/isomorph-error.ts';
import { quoted } from '../../../ids/characters.ts';
import { plainEndpoint, REGION } from '../../../providers/aws/location.ts';

export interface BucketLocation {
  readonly bucket: string;
  /** Before every key: empty, or ending in `/`. */
  readonly prefix: string;
  /** Where this process reaches the server; undefined: AWS. */
  readonly endpoint: string | undefined;
  /** Where containers and people reach it, when that is elsewhere. */
  readonly publicEndpoint: string | undefined;
  readonly region: string;
  /** `endpoint/bucket/key` instead of `bucket.endpoint/key`. */
  readonly pathStyle: boolean;
  /** Make the bucket when it does not exist. */
  readonly create: boolean;
}

const PARAMETERS = ['endpoint', 'public_endpoint', 'region', 'path_style', 'create'];
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const PREFIX = /^(?:[A-Za-z0-9_][A-Za-z0-9_.-]*\/)*$/;

/** Never repeats the URL: it may carry a password. */
function refuse(what: string, expected: string): never {
  throw new IsomorphError('ERR_CONFIG', `the s3 URL ${what}`, { expected });
}

function endpointOf(url: URL, name: string): string | undefined {
  const text = url.searchParams.get(name);
  if (text === null) return undefined;
  return plainEndpoint(text) ?? refuse(`has no usable ${name}`, 'http://host:port or https://host');
}

function flagOf(url: URL, name: string, otherwise: boolean): boolean {
  const text = url.searchParams.get(name);
  if (text === null) return otherwise;
  if (text !== 'true' && text !== 'false') refuse(`says ${name}=${quoted(text)}`, 'true or false');
  return text === 'true';
}

function regionOf(url: URL, endpoint: string | undefined, env: NodeJS.ProcessEnv): string {
  // A server of one's own mostly has no regions, but a signature must name one.
  const fallback = endpoint === undefined ? undefined : 'us-east-1';
  const region = url.searchParams.get('region') ?? (env.AWS_REGION || env.AWS_DEFAULT_REGION || fallback);
  if (region === undefined || !REGION.test(region))
    refuse('names no region, nor does AWS_REGION', 'region=eu-central-1');
  return region;
}

/**
 * @param env for AWS_REGION and AWS_DEFAULT_REGION
 * @throws IsomorphError ERR_CONFIG
 */
export function parseBucketUrl(url: URL, env: NodeJS.ProcessEnv = process.env): BucketLocation {
  const form = 's3://bucket/prefix?endpoint=…';
  if (url.username !== '' || url.password !== '')
    refuse('carries credentials', 'them in AWS_ACCESS_KEY_ID and its like');
  if (!BUCKET.test(url.host) || url.hash !== '') refuse(`names no bucket: ${quoted(url.host)}`, form);
  for (const name of url.searchParams.keys()) {
    if (!PARAMETERS.includes(name)) refuse(`has a parameter ${quoted(name)}`, PARAMETERS.join(', '));
  }
  const folder = url.pathname.replace(/^\/|\/$/g, '');
  const prefix = folder === '' ? '' : `${folder}/`;
  if (!PREFIX.test(prefix)) refuse(`has the prefix ${quoted(folder)}`, 'segments of letters, digits, _ . and -');
  const endpoint = endpointOf(url, 'endpoint');
  return {
    bucket: url.host,
    prefix,
    endpoint,
    publicEndpoint: endpointOf(url, 'public_endpoint') ?? endpoint,
    region: regionOf(url, endpoint, env),
    pathStyle: flagOf(url, 'path_style', endpoint !== undefined),
    create: flagOf(url, 'create', false),
  };
}
