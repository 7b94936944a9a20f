import type { Environment } from '../ledger/events.ts';
import type { Processor } from '../plan/registry.ts';

/** Where a processor ran, for its receipt: what the registry file says, and what only its runtime knows. */
export function fingerprint(
  { image, runtime }: Processor,
  secretNames: readonly string[],
  own: Pick<Environment, 'adapter' | 'image_digest' | 'claimed' | 'region' | 'versions'>,
): Environment {
  const { cpu, memory_gb, timeout_s, gpu } = runtime;
  return {
    ...own,
    image,
    cpu,
    memory_gb,
    timeout_s,
    ...(gpu === undefined ? {} : { gpu }),
    present_env_keys: [...secretNames].sort(),
  };
}
