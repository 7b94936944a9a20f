import { Backends } from '../providers/backends.ts';
import type { SecretResolver, SecretsBackend } from './secrets.ts';

/** The one list of places that secrets come from. A new one adds its line here; docs/secrets.md says what each takes. */
export const SECRETS_BACKENDS = new Backends<SecretsBackend>('secrets', [
  ['env:', async () => (await import('./drivers/env/env.ts')).envBackend],
  ['dotenv:.env', async () => (await import('./drivers/dotenv/dotenv.ts')).dotenvBackend],
  ['aws-secretsmanager://eu-central-1', async () => (await import('./drivers/aws/aws.ts')).awsBackend],
  ['modal:', async () => (await import('./drivers/modal/modal.ts')).modalBackend],
]);

/**
 * The resolver of a URL.
 * @throws ERR_CONFIG for an unknown scheme or an unusable URL; the URL is not repeated, it may hold a password.
 */
export async function openSecrets(
  url: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<SecretResolver> {
  const { backend } = await SECRETS_BACKENDS.find(url);
  return backend.open(url, env);
}
