import type { Adapter } from '../../shared/plan/plan.ts';
import type { Registry } from '../../shared/registry/registry.ts';
import type { SecretResolver } from '../../shared/secrets/resolver.ts';

/** What is known of the secrets that a plan needs: looked up before it is judged, since judging asks nobody. */
export interface KnownSecrets {
  /** Whether a secret can be resolved; undefined when only the runtime will know. */
  secretExists(name: string): boolean | undefined;
  /** The one adapter that can have secrets of this deployment; undefined: any. */
  readonly secretsInjectedBy: Adapter | undefined;
}

/** Names of the secrets that the processors of a document need, whatever else the document is. */
export function secretNames(document: Readonly<Record<string, unknown>>, registry: Registry): ReadonlySet<string> {
  const steps: readonly unknown[] = Array.isArray(document.steps) ? document.steps : [];
  const refs = steps.map((step) => (step as { processor?: unknown } | null)?.processor);
  const processors = [...new Set(refs)].flatMap((ref) =>
    typeof ref === 'string' ? (registry.processors.get(ref) ?? []) : [],
  );
  return new Set(processors.flatMap(({ secrets }) => secrets.required));
}

export async function lookUpSecrets(resolver: SecretResolver, names: ReadonlySet<string>): Promise<KnownSecrets> {
  const looked = [...names].map(async (name) => [name, await resolver.has(name)] as const);
  const known = new Map(await Promise.all(looked));
  return { secretExists: (name) => known.get(name), secretsInjectedBy: resolver.injectedBy };
}
