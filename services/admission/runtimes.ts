import { type Fault, fault } from '../../shared/errors/isomorph-error.ts';
import type { Adapter } from '../../shared/ids/adapter.ts';
import type { Processor } from '../../shared/plan/registry.ts';
import { RUNTIME_CAPABILITIES } from '../../shared/runtime/capabilities.ts';

/** What the registry says of a processor and its runtime cannot keep to: a plan is not run where its isolation would be a word. */
export function runtimeFaults(adapter: Adapter, { ref, runtime }: Processor, pointer: string): Fault[] {
  const { networks, gpu, scratchVolume } = RUNTIME_CAPABILITIES[adapter];
  const refuse = (what: string, expected: string): Fault =>
    fault('ERR_CAPABILITY', `${adapter} cannot give ${ref} ${what}`, { pointer, expected });
  return [
    ...(networks.includes(runtime.network)
      ? []
      : [
          refuse(
            `the network "${runtime.network}" alone`,
            `network ${networks.join(' or ')} in its registry entry, or another adapter`,
          ),
        ]),
    ...(runtime.gpu !== undefined && !gpu ? [refuse('a gpu', 'no gpu in its registry entry, or another adapter')] : []),
    ...(runtime.scratch_volume_gb !== undefined && !scratchVolume
      ? [refuse('a scratch volume', 'no scratch_volume_gb in its registry entry, or another adapter')]
      : []),
  ];
}
