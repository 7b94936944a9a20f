import type { Adapter } from '../ids/adapter.ts';
import type { SecretHandle, SecretValue } from './secret-value.ts';

/** Where secret values come from. Only names ever appear in events, receipts, logs and error messages. */
export interface SecretResolver {
  /** The one runtime that the secrets of this resolver can be used in; undefined: any. */
  readonly injectedBy: Adapter | undefined;
  /**
   * The secret as it is now: nothing is kept from one call to the next.
   * @throws ERR_MISSING_SECRET there is none, or none that can be an environment variable
   * @throws ERR_CONFIG this service may not read it
   * @throws ERR_UNAVAILABLE the place does not answer. Every error names the secret.
   */
  get(name: string): Promise<SecretValue | SecretHandle>;
  /**
   * Whether `get` would find it, asked without reading the value; undefined when that cannot be told now.
   * Answers within seconds, never rejects.
   */
  has(name: string): Promise<boolean | undefined>;
  /** Safe to call again. */
  close(): Promise<void>;
}

/** What a driver file exports. */
export interface SecretsBackend {
  /**
   * @param url as it is configured: what follows the scheme may be the name of a file
   * @param env the environment of the service
   * @throws ERR_CONFIG for an unusable URL
   */
  open(url: string, env: Readonly<Record<string, string | undefined>>): SecretResolver;
}
