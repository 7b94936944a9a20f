import { readFileSync } from 'node:fs';
import { parse } from 'dotenv';
import { IsomorphError } from '../../../errors/isomorph-error.ts';
import type { SecretResolver, SecretsBackend } from '../../secrets.ts';
import { fromValues } from '../../values.ts';

/** `dotenv:<file>` takes secrets from a file of `NAME=value` lines; a file that does not exist holds none. */
export function dotenvSecrets(file: string): SecretResolver {
  let text = '';
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw new IsomorphError('ERR_CONFIG', `the secrets file ${file} cannot be read`, {}, error);
    }
  }
  return fromValues(parse(text), file);
}

export const dotenvBackend: SecretsBackend = { open: (url) => dotenvSecrets(url.slice(url.indexOf(':') + 1)) };
