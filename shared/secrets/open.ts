import { IsomorphError } from '../errors/isomorph-error.ts';
import type { SecretResolver } from './secrets.ts';

export const SECRETS_FORMS = 'env:, dotenv:<file>, aws-secretsmanager://<region> or modal:<environment>';

/**
 * The resolver of a URL; docs/secrets.md says what each takes.
 * @throws ERR_CONFIG for an unknown scheme or an unusable URL; the URL is not repeated, it may hold a password.
 */
export async function openSecrets(
  url: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<SecretResolver> {
  const scheme = url.slice(0, url.indexOf(':') + 1);
  switch (scheme) {
    case 'env:':
      return (await import('./drivers/env/env.ts')).envSecrets(env);
    case 'dotenv:':
      return (await import('./drivers/dotenv/dotenv.ts')).dotenvSecrets(url.slice(scheme.length));
    case 'aws-secretsmanager:':
      return (await import('./drivers/aws/aws.ts')).awsSecrets(url);
    case 'modal:':
      return (await import('./drivers/modal/modal.ts')).modalSecrets(url);
    default:
      throw new IsomorphError('ERR_CONFIG', `no secrets driver for "${scheme}"`, { expected: SECRETS_FORMS });
  }
}
