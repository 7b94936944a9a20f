import type { SecretResolver, SecretsBackend } from '../../secrets.ts';
import { fromValues } from '../../values.ts';

/** `env:` takes secrets from environment variables of the service, under a prefix that keeps its own out of reach. */
export const SECRET_PREFIX = 'ISOMORPH_SECRET_';

export function envSecrets(env: Readonly<Record<string, string | undefined>>): SecretResolver {
  const entries = Object.entries(env).filter(([name]) => name.startsWith(SECRET_PREFIX));
  const values = Object.fromEntries(entries.map(([name, value]) => [name.slice(SECRET_PREFIX.length), value]));
  return fromValues(values, `the environment (${SECRET_PREFIX}<NAME>)`);
}

export const envBackend: SecretsBackend = { open: (_, env) => envSecrets(env) };
