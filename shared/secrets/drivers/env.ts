import { IsomorphError } from '../../errors/isomorph-error.ts';
import type { SecretResolver } from '../resolver.ts';

/** `env:` takes secrets from environment variables of the service, under a prefix that keeps its own out of reach. */
export const SECRET_PREFIX = 'ISOMORPH_SECRET_';

export function fromValues(values: Readonly<Record<string, string | undefined>>, source: string): SecretResolver {
  return {
    has: (name) => values[name] !== undefined,
    async get(name) {
      const value = values[name];
      if (value !== undefined) return value;
      throw new IsomorphError('ERR_MISSING_SECRET', `no secret ${name} in ${source}`, {
        expected: `a value for ${name}`,
      });
    },
  };
}

export function envSecrets(env: Readonly<Record<string, string | undefined>>): SecretResolver {
  const entries = Object.entries(env).filter(([name]) => name.startsWith(SECRET_PREFIX));
  const values = Object.fromEntries(entries.map(([name, value]) => [name.slice(SECRET_PREFIX.length), value]));
  return fromValues(values, `the environment (${SECRET_PREFIX}<NAME>)`);
}
