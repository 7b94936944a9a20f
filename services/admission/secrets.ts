import { type Fault, fault } from '../../shared/errors/isomorph-error.ts';
import type { Adapter } from '../../shared/ids/adapter.ts';
import type { Policy, Processor } from '../../shared/plan/registry.ts';
import { RUNTIME_CAPABILITIES } from '../../shared/runtime/capabilities.ts';
import { notInjectable } from '../../shared/secrets/resolve.ts';
import type { SecretResolver } from '../../shared/secrets/secrets.ts';
import type { NamedStep } from './named.ts';

/** What is known of the secrets that a plan needs: looked up before it is judged, since judging asks nobody. */
export interface KnownSecrets {
  /** Whether a secret can be resolved; undefined when only the runtime will know. */
  secretExists(name: string): boolean | undefined;
  /** The one adapter that can have secrets of this deployment; undefined: any. */
  readonly secretsInjectedBy?: Adapter | undefined;
}

/** Looks up every secret that the processors of these steps need. */
export async function lookUpSecrets(resolver: SecretResolver, steps: readonly NamedStep[]): Promise<KnownSecrets> {
  const names = new Set(steps.flatMap(({ processor }) => processor.secrets.required));
  const looked = [...names].map(async (name) => [name, await resolver.has(name)] as const);
  const known = new Map(await Promise.all(looked));
  return { secretExists: (name) => known.get(name), secretsInjectedBy: resolver.injectedBy };
}

/** Why a processor may not have its secrets on this adapter, or cannot. */
export function secretFaults(
  { policy, deployment }: { readonly policy: Policy; readonly deployment: KnownSecrets },
  adapter: Adapter,
  { ref, secrets }: Processor,
  pointer: string,
): Fault[] {
  const { secretExists, secretsInjectedBy: only } = deployment;
  const allowed = new Set(policy.secrets);
  return secrets.required.flatMap((name): Fault[] => {
    if (!allowed.has('*') && !allowed.has(name)) {
      return [fault('ERR_POLICY', `policy ${policy.name} forbids secret ${name}`, { pointer })];
    }
    // Its runtime has them itself, and alone knows which.
    if (!RUNTIME_CAPABILITIES[adapter].takesSecrets) return [];
    if (only !== undefined && only !== adapter) return [{ ...notInjectable(name, only, adapter).toFault(), pointer }];
    if (secretExists(name) !== false) return [];
    return [
      fault('ERR_MISSING_SECRET', `${ref} needs secret ${name}`, { pointer, expected: `a secret named ${name}` }),
    ];
  });
}
