import { within } from '../../../async/within.ts';
import { IsomorphError } from '../../../errors/isomorph-error.ts';
import { environmentNamed, isRefused } from '../../../providers/modal/account.ts';
import type { SecretHandle } from '../../secret-value.ts';
import type { SecretResolver, SecretsBackend } from '../../secrets.ts';
import { missingSecret } from '../../values.ts';

/** What is used of the `modal` SDK. It has no call that reads a value. */
export interface ModalSecretsClient {
  readonly secrets: {
    fromName(name: string, params: { environment?: string; requiredKeys: string[] }): Promise<unknown>;
  };
  close(): void;
}

/** Names of Modal's objects have at most 64 characters. */
const NAME_CHARACTERS_MAX = 64;
const LOOK_MS = 3_000;
const ANSWER_MS = 15_000;

const isMissing = (error: unknown): boolean => error instanceof Error && error.name === 'NotFoundError';

/** The SDK's errors stay inside; its messages name the object at most. */
function modalSecretError(name: string, error: unknown): IsomorphError {
  if (isMissing(error)) return missingSecret(name, `Modal has no secret ${name} with the key ${name}`);
  if (isRefused(error)) {
    const expected = 'MODAL_TOKEN_ID and MODAL_TOKEN_SECRET of this environment';
    return new IsomorphError('ERR_CONFIG', `secret ${name} may not be looked up at Modal`, { expected });
  }
  return new IsomorphError('ERR_UNAVAILABLE', `secret ${name}: no answer of Modal`);
}

async function connect(): Promise<ModalSecretsClient> {
  return new (await import('modal')).ModalClient();
}

/**
 * Secrets that stay with Modal: `NAME` is the key `NAME` of the Modal secret `NAME`. Nobody here can read the value, so
 * `get` gives a handle, for the modal runtime alone.
 * @throws ERR_CONFIG for a URL that is not usable
 */
export function modalSecrets(url: string, open: () => Promise<ModalSecretsClient> = connect): SecretResolver {
  const environment = environmentNamed(url.slice(url.indexOf(':') + 1));
  let client: Promise<ModalSecretsClient> | undefined;
  const lookUp = async (name: string, ms: number): Promise<void> => {
    if (name.length > NAME_CHARACTERS_MAX) throw missingSecret(name, 'names at Modal have at most 64 characters');
    client ??= open();
    const opened = client;
    const where = environment === '' ? {} : { environment };
    try {
      await within(
        ms,
        opened.then(({ secrets }) => secrets.fromName(name, { ...where, requiredKeys: [name] })),
        () => {
          throw new Error('too late');
        },
      );
    } catch (error) {
      throw modalSecretError(name, error);
    }
  };
  return {
    injectedBy: 'modal',
    async has(name) {
      try {
        await lookUp(name, LOOK_MS);
        return true;
      } catch (error) {
        // Any other fault does not say that it is missing.
        return error instanceof IsomorphError && error.code === 'ERR_MISSING_SECRET' ? false : undefined;
      }
    },
    async get(name): Promise<SecretHandle> {
      await lookUp(name, ANSWER_MS);
      return { kind: 'handle', name, provider: 'modal', environment };
    },
    async close() {
      const opened = client;
      client = undefined;
      (await opened?.catch(() => undefined))?.close();
    },
  };
}

export const modalBackend: SecretsBackend = { open: (url) => modalSecrets(url) };
