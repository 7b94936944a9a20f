/** Reads `aws-secretsmanager://<region>[?endpoint=…&prefix=…]`. Pure. */

import { IsomorphError } from '../../../errors/isomorph-error.ts';
import { plainEndpoint, REGION } from '../../../providers/aws/location.ts';

export interface AwsSecretsLocation {
  readonly region: string;
  /** Of a server that is not AWS. */
  readonly endpoint: string | undefined;
  /** Before every name: `prod/` makes OPENAI_API_KEY the secret `prod/OPENAI_API_KEY`. */
  readonly prefix: string;
}

const PARAMETERS = ['endpoint', 'prefix'];
/** Characters of names in Secrets Manager. */
const PREFIX = /^[A-Za-z0-9/_+=.@-]{0,128}$/;

/** Never repeats the URL: somebody may have put a password into it. */
function refuse(what: string, expected: string): never {
  throw new IsomorphError('ERR_CONFIG', `the aws-secretsmanager URL ${what}`, { expected });
}

function endpointOf(text: string | null): string | undefined {
  if (text === null) return undefined;
  return plainEndpoint(text) ?? refuse('has no usable endpoint', 'http://host:port or https://host');
}

/** @throws IsomorphError ERR_CONFIG */
export function parseAwsSecretsUrl(text: string): AwsSecretsLocation {
  if (!URL.canParse(text)) refuse('is none', 'aws-secretsmanager://eu-central-1');
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') {
    refuse('carries credentials', 'them in AWS_ACCESS_KEY_ID and its like, or a role');
  }
  if (!REGION.test(url.host) || !['', '/'].includes(url.pathname)) {
    refuse('names no region', 'aws-secretsmanager://eu-central-1');
  }
  for (const name of url.searchParams.keys()) {
    if (!PARAMETERS.includes(name)) refuse('has a parameter that is not known', PARAMETERS.join(', '));
  }
  const prefix = url.searchParams.get('prefix') ?? '';
  if (!PREFIX.test(prefix)) refuse('has no usable prefix', 'up to 128 of letters, digits and /_+=.@-');
  return { region: url.host, endpoint: endpointOf(url.searchParams.get('endpoint')), prefix };
}
