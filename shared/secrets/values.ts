import { IsomorphError } from '../errors/isomorph-error.ts';
import { SecretValue } from './secret-value.ts';
import type { SecretResolver } from './secrets.ts';

/** A required secret that cannot be had, and what is in the way. The message never holds a value. */
export const missingSecret = (name: string, why: string): IsomorphError =>
  new IsomorphError('ERR_MISSING_SECRET', `secret ${name} cannot be resolved: ${why}`, {
    expected: `a value for ${name}`,
  });

/**
 * A value as a secret, if it can be the environment variable of a process.
 * @throws ERR_MISSING_SECRET it cannot; an operating system would refuse it with a message that repeats it
 */
export function usableSecret(name: string, value: string): SecretValue {
  if (value === '') throw missingSecret(name, 'it is empty');
  if (value.includes('\0')) throw missingSecret(name, 'it holds a NUL character');
  return new SecretValue(name, value);
}

/** A resolver over values that are all in memory. An empty value counts as none. */
export function fromValues(values: Readonly<Record<string, string | undefined>>, source: string): SecretResolver {
  const kept = (name: string): string => (Object.hasOwn(values, name) ? (values[name] ?? '') : '');
  return {
    injectedBy: undefined,
    has: async (name) => kept(name) !== '',
    async get(name) {
      const value = kept(name);
      if (value === '') throw missingSecret(name, `nothing in ${source}`);
      return usableSecret(name, value);
    },
    close: async () => undefined,
  };
}
