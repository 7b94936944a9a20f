import { IsomorphError } from '../errors/isomorph-error.ts';
import type { Adapter } from '../ids/adapter.ts';
import { concealed, type SecretHandle } from './secret-value.ts';
import type { SecretResolver } from './secrets.ts';

/** The secrets of one execution, held in memory while it runs. Printing it shows names alone. */
export interface ResolvedSecrets {
  /** Environment variables of the processor. */
  readonly values: Readonly<Record<string, string>>;
  /** What the runtime has to have injected by its provider. */
  readonly handles: readonly SecretHandle[];
}

/** The first of several errors that a new attempt would not cure, else the first. */
function worstOf(errors: readonly unknown[]): unknown {
  return errors.find((error) => !(error instanceof IsomorphError && error.retryable)) ?? errors[0];
}

/**
 * Resolves the secrets of an execution that is about to run on `adapter`.
 * @throws as `SecretResolver.get` does, and ERR_CAPABILITY for a handle that this adapter cannot inject
 */
export async function resolveSecrets(
  resolver: SecretResolver,
  names: readonly string[],
  adapter: Adapter,
): Promise<ResolvedSecrets> {
  const asked = await Promise.allSettled(names.map((name) => resolver.get(name)));
  const errors = asked.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
  if (errors.length > 0) throw worstOf(errors);
  const grants = asked.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const values: Record<string, string> = {};
  const handles: SecretHandle[] = [];
  for (const grant of grants) {
    if (grant.kind === 'value') values[grant.name] = grant.reveal();
    else if (grant.provider === adapter) handles.push(grant);
    else throw notInjectable(grant.name, grant.provider, adapter);
  }
  return { values: concealed(values), handles };
}

/** A secret that stays with its provider was asked for by another runtime than the provider's own. */
export const notInjectable = (name: string, provider: Adapter, adapter: Adapter): IsomorphError =>
  new IsomorphError(
    'ERR_CAPABILITY',
    `secret ${name} cannot leave ${provider}: an execution on ${adapter} cannot have it`,
    {
      expected: `adapter ${provider}, or SECRETS_URL of a place that gives values`,
    },
  );
