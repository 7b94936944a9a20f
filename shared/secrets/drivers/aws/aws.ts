import { DescribeSecretCommand, GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { SecretResolver, SecretsBackend } from '../../secrets.ts';
import { missingSecret, usableSecret } from '../../values.ts';
import { awsSecretError, isMissing } from './faults.ts';
import { parseAwsSecretsUrl } from './location.ts';

export interface AwsSecretsOptions {
  /** Of one try of the SDK. Default 5 s. */
  readonly timeoutMs?: number;
}

/** The SDK repeats what is throttled or passing by itself, with growing waits. */
const ATTEMPTS_MAX = 3;
const DEFAULT_TIMEOUT_MS = 5_000;
/** Admission waits for an answer to `has`; without one the dispatcher will know. */
const LOOK_MS = 3_000;

/**
 * AWS Secrets Manager: the secret `NAME` is the whole text of the secret `<prefix>NAME` there, version AWSCURRENT.
 * @throws ERR_CONFIG for a URL that is not usable
 */
export function awsSecrets(url: string, { timeoutMs = DEFAULT_TIMEOUT_MS }: AwsSecretsOptions = {}): SecretResolver {
  const { region, endpoint, prefix } = parseAwsSecretsUrl(url);
  // The notice is for those who choose the version of Node.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
  const client = new SecretsManagerClient({
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    maxAttempts: ATTEMPTS_MAX,
    requestHandler: { connectionTimeout: timeoutMs, requestTimeout: timeoutMs, throwOnRequestTimeout: true },
  });
  return {
    injectedBy: undefined,

    async has(name) {
      try {
        const abortSignal = AbortSignal.timeout(LOOK_MS);
        const { DeletedDate } = await client.send(new DescribeSecretCommand({ SecretId: prefix + name }), {
          abortSignal,
        });
        return DeletedDate === undefined;
      } catch (error) {
        // Whatever else is wrong, such as a policy that lets nobody look, does not say that it is missing.
        return isMissing(error) ? false : undefined;
      }
    },

    async get(name) {
      let value: string | undefined;
      try {
        value = (await client.send(new GetSecretValueCommand({ SecretId: prefix + name }))).SecretString;
      } catch (error) {
        throw awsSecretError(name, error);
      }
      if (value === undefined) throw missingSecret(name, 'AWS Secrets Manager holds it as bytes, not as text');
      return usableSecret(name, value);
    },

    close: async () => client.destroy(),
  };
}

export const awsBackend: SecretsBackend = { open: (url) => awsSecrets(url) };
