import { IsomorphError } from '../errors/isomorph-error.ts';
import type { SecretResolver } from './resolver.ts';

/**
 * The resolver of a URL: `env:` or `dotenv:<file>`.
 * @throws ERR_CONFIG for an unknown scheme.
 */
export async function openSecrets(
  url: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<SecretResolver> {
  const scheme = url.slice(0, url.indexOf(':') + 1);
  switch (scheme) {
    case 'env:':
      return (await import('./drivers/env.ts')).envSecrets(env);
    case 'dotenv:':
      return (await import('./drivers/dotenv.ts')).dotenvSecrets(url.slice(scheme.length));
    default:
      throw new IsomorphError('ERR_CONFIG', `no secrets driver for "${scheme}"`, { expected: 'env: or dotenv:<file>' });
  }
}
