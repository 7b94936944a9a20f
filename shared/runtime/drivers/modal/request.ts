import { isIP } from 'node:net';
import type { SandboxCreateParams } from 'modal';
import { IsomorphError, unreachable } from '../../../errors/isomorph-error.ts';
import type { Processor } from '../../../plan/registry.ts';
import { type Job, surroundings } from '../../contract.ts';
import type { Assignment } from '../../runtime.ts';
import { type ModalPlace, objectNameOf } from './place.ts';

/** What is asked of Modal for an execution. Pure; nothing in here is a secret or a signed URL. */

/** Modal gives no less. */
const MIN_CPU = 0.125;
const MIN_MEMORY_MIB = 128;
const MAX_LIFE_S = 86_400;
/** Modal's own time limit is for when no dispatcher lives: it must not come before ours. */
const LIFE_MARGIN_S = 30;
/** Where the temp volume of a processor that asks for one is mounted. */
export const VOLUME_PATH = '/scratch';

/** Tags of a sandbox. Those of the second row change in its life. */
export const TAGS = {
  ...{ execution: 'isomorph_execution', plan: 'isomorph_plan', step: 'isomorph_step', attempt: 'isomorph_attempt' },
  ...{ instance: 'isomorph_instance', volume: 'isomorph_volume', createdMs: 'isomorph_created_ms' },
  ...{ job: 'isomorph_job', stop: 'isomorph_stop', forgotten: 'isomorph_forgotten' },
} as const;

export type Tags = Readonly<Record<string, string>>;

export const tagsOf = ({ executionId, job, processor }: Assignment, { app }: ModalPlace, nowMs: number): Tags => ({
  [TAGS.execution]: executionId,
  [TAGS.plan]: job.plan_id,
  [TAGS.step]: job.step_id,
  [TAGS.attempt]: `${job.attempt}`,
  [TAGS.instance]: app,
  [TAGS.createdMs]: `${nowMs}`,
  ...(processor.runtime.scratch_volume_gb === undefined ? {} : { [TAGS.volume]: 'yes' }),
});

/** As Modal names them: an A100 comes in two sizes, which are two names. */
function gpuOf({ model, count, mem_gb }: NonNullable<Processor['runtime']['gpu']>): string {
  const name = model.toUpperCase();
  return `${name === 'A100' ? `A100-${mem_gb > 40 ? '80GB' : '40GB'}` : name}:${count}`;
}

const urlsOf = ({ inputs, outputs, scratch }: Job): string[] => [
  ...Object.values(inputs).map(({ get_url }) => get_url),
  ...Object.values(outputs).map(({ put_url }) => put_url),
  ...(scratch === undefined ? [] : [scratch.url]),
];

/** Modal lets through addresses, or names as TLS tells them on port 443: nothing else can be granted by itself. */
function grantOf(job: Job): Pick<SandboxCreateParams, 'outboundCidrAllowlist' | 'outboundDomainAllowlist'> {
  const [cidrs, domains] = [new Set<string>(), new Set<string>()];
  for (const text of urlsOf(job)) {
    const { hostname, protocol, port, host } = new URL(text);
    const address = hostname.replace(/^\[|\]$/g, '');
    if (isIP(address) !== 0) cidrs.add(`${address}/${isIP(address) === 4 ? 32 : 128}`);
    else if (protocol === 'https:' && port === '') domains.add(hostname);
    else {
      throw new IsomorphError('ERR_START', `a sandbox of Modal cannot be let through to ${protocol}//${host} alone`, {
        expected: 'artifacts at https:// on port 443, or at an address: see public_endpoint in docs/artifact-stores.md',
      });
    }
  }
  return { outboundCidrAllowlist: [...cidrs], outboundDomainAllowlist: [...domains] };
}

/** @throws ERR_START when Modal cannot hold the processor to the network that its registry file grants */
function networkOf({ runtime }: Processor, job: Job): SandboxCreateParams {
  switch (runtime.network) {
    case 'none':
      return { blockNetwork: true };
    case 'artifacts':
      return grantOf(job);
    case 'internet':
      return {};
    default:
      return unreachable(runtime.network);
  }
}

/**
 * The sandbox of an execution, without its secrets and volume. The limits of the registry file are requests and limits at once.
 * @throws ERR_START when it cannot be had
 */
export function requestOf(assignment: Assignment, place: ModalPlace, nowMs: number): SandboxCreateParams {
  const { executionId, processor, job, deadlineMs } = assignment;
  const { cpu, memory_gb, gpu, scratch_volume_gb } = processor.runtime;
  const leftS = Math.ceil(Math.max(0, deadlineMs - nowMs) / 1_000);
  const [cores, memoryMiB] = [Math.max(MIN_CPU, cpu), Math.max(MIN_MEMORY_MIB, Math.ceil(memory_gb * 1024))];
  return {
    name: objectNameOf(executionId),
    command: [...processor.entrypoint],
    // PATH is the image's.
    env: surroundings(scratch_volume_gb === undefined ? '/tmp' : VOLUME_PATH),
    tags: { ...tagsOf(assignment, place, nowMs) },
    cpu: cores,
    cpuLimit: cores,
    memoryMiB,
    memoryLimitMiB: memoryMiB,
    timeoutMs: Math.min(MAX_LIFE_S, leftS + LIFE_MARGIN_S) * 1_000,
    ...networkOf(processor, job),
    ...(gpu === undefined ? {} : { gpu: gpuOf(gpu) }),
    ...(place.regions.length === 0 ? {} : { regions: [...place.regions] }),
  };
}
