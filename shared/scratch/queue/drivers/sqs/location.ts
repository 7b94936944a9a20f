/** Reads the URL of queues on SQS: `sqs://<region>?endpoint=…&prefix=…&dedupe=none`. Pure. */

import { IsomorphError } from '../../../../errors/isomorph-error.ts';
import { plainEndpoint, REGION } from '../../../../providers/aws/location.ts';

export interface SqsLocation {
  readonly region: string;
  /** Of a server that is not AWS. */
  readonly endpoint: string | undefined;
  /** Before every queue name, so that several installations can share an account. */
  readonly prefix: string;
  /** False for a server that forgets what it has seen once a message is deleted, as moto does. AWS remembers for 5 minutes. */
  readonly dedupes: boolean;
}

const PARAMETERS = ['endpoint', 'prefix', 'dedupe'];
const PREFIX = /^[A-Za-z0-9][A-Za-z0-9_-]{0,19}$/;

/** Never repeats the URL: it may carry a password. */
function refuse(what: string, expected: string): never {
  throw new IsomorphError('ERR_CONFIG', `the sqs URL ${what}`, { expected });
}

function endpointOf(text: string | null): string | undefined {
  if (text === null) return undefined;
  return plainEndpoint(text) ?? refuse('has no usable endpoint', 'http://host:port or https://host');
}

/** @throws IsomorphError ERR_CONFIG */
export function parseSqsUrl(url: URL): SqsLocation {
  if (url.username !== '' || url.password !== '')
    refuse('carries credentials', 'them in AWS_ACCESS_KEY_ID and its like');
  if (!REGION.test(url.host)) refuse('names no region', 'sqs://eu-central-1');
  for (const name of url.searchParams.keys()) {
    if (!PARAMETERS.includes(name)) refuse('has a parameter that is not known', PARAMETERS.join(', '));
  }
  const prefix = url.searchParams.get('prefix') ?? 'isomorph';
  if (!PREFIX.test(prefix)) refuse('has no usable prefix', 'up to 20 letters, digits, _ and -');
  const dedupe = url.searchParams.get('dedupe');
  if (dedupe !== null && dedupe !== 'none') refuse('has no usable dedupe=', 'none, or leave it out');
  const endpoint = endpointOf(url.searchParams.get('endpoint'));
  return { region: url.host, endpoint, prefix, dedupes: dedupe === null };
}
