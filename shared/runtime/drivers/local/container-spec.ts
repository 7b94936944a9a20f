import type Docker from 'dockerode';
import type { Processor } from '../../../plan/registry.ts';
import { surroundings } from '../../contract.ts';
import type { LocalImage } from './images.ts';
import { GRANT_FOLDER, LIMITS, LOG_CONFIG, PROCESSOR_USER } from './limits.ts';

/** What the labels of a container say: enough for a reaper that knows nothing else. */
export const LABELS = {
  /** The deployment: what shares a ledger. Nothing of another one is ever touched. */
  instance: 'dev.isomorph.instance',
  role: 'dev.isomorph.role',
  execution: 'dev.isomorph.execution',
  attempt: 'dev.isomorph.attempt',
  processor: 'dev.isomorph.processor',
  /** ISO 8601. */
  deadline: 'dev.isomorph.deadline',
  /** Seconds that a run may take, where the deadline is not known yet. */
  timeout: 'dev.isomorph.timeout_s',
} as const;

/** Which network a container gets. */
export type NetworkGrant =
  | { readonly kind: 'none' }
  /** Sockets of the granted endpoints for a relay inside, and no other network, or that bridge (ADR 13). */
  | {
      readonly kind: 'sockets';
      readonly folder: string;
      readonly hosts: readonly string[];
      readonly bridge: string | undefined;
    }
  /** The namespace of a container that relays. */
  | { readonly kind: 'joined'; readonly containerId: string };

export interface SpecOptions {
  readonly image: LocalImage;
  readonly processor: Processor;
  readonly secrets: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly network: NetworkGrant;
  /** CPUs of the engine: it refuses a limit above. */
  readonly cpus: number;
}

const GIB = 2 ** 30;

/** What no container of ours is without, whatever it runs. */
export function hardened(memoryBytes: number, cpus: number): Docker.HostConfig {
  return {
    ReadonlyRootfs: true,
    CapDrop: ['ALL'],
    // The default seccomp profile applies because none is named.
    SecurityOpt: ['no-new-privileges:true'],
    Privileged: false,
    // As PID 1 most programs would ignore SIGTERM.
    Init: true,
    AutoRemove: false,
    PidsLimit: LIMITS.processes,
    Memory: memoryBytes,
    MemorySwap: memoryBytes,
    NanoCpus: Math.round(cpus * 1e9),
    LogConfig: LOG_CONFIG,
    RestartPolicy: { Name: '' },
  };
}

const ulimit = (Name: string, value: number) => ({ Name, Soft: value, Hard: value });

/** The part of a container's settings that a grant makes. */
export function networkOf(grant: NetworkGrant): Docker.HostConfig {
  switch (grant.kind) {
    case 'none':
      return { NetworkMode: 'none' };
    case 'joined':
      return { NetworkMode: `container:${grant.containerId}` };
    case 'sockets': {
      const mount = { Type: 'bind' as const, Source: grant.folder, Target: GRANT_FOLDER, ReadOnly: true };
      return {
        NetworkMode: grant.bridge ?? 'none',
        Mounts: [mount],
        ...(grant.hosts.length === 0 ? {} : { ExtraHosts: [...grant.hosts] }),
      };
    }
  }
}

/** What the registry file asks for; 0: none. */
export const scratchBytesOf = ({ runtime }: Processor): number => Math.floor((runtime.scratch_volume_gb ?? 0) * GIB);

/**
 * `/tmp` of a container: memory of a fixed size, since no engine bounds a volume on common file systems. What is written to a
 * scratch volume counts beside the memory of the processor, so that its files are refused before the processor is ended.
 */
function scratchOf(memoryBytes: number, scratchBytes: number): Docker.HostConfig {
  const [size, exec] = scratchBytes > 0 ? [scratchBytes, ',exec'] : [Math.floor(memoryBytes / 2), ''];
  return { Tmpfs: { '/tmp': `rw,nosuid,nodev${exec},mode=1777,size=${size}` } };
}

/**
 * The container of one processor. Nothing of it comes from a plan: the registry file sets the sizes, the rest is fixed.
 * Of the entrypoint: images with our boot module have their own.
 */
export function containerSpec(options: SpecOptions): Docker.ContainerCreateOptions {
  const { image, processor, secrets, labels, network } = options;
  const { cpu, memory_gb, timeout_s, gpu } = processor.runtime;
  const memoryBytes = Math.max(LIMITS.min_memory_bytes, Math.floor(memory_gb * GIB));
  const cpus = Math.min(cpu, options.cpus);
  const scratchBytes = scratchBytesOf(processor);
  const environment = { ...surroundings('/tmp'), ...(image.isBoot ? {} : secrets) };
  const cpuSeconds = Math.ceil(timeout_s * Math.max(1, cpus)) + LIMITS.cpu_margin_s;
  return {
    Image: image.id,
    ...(image.isBoot ? {} : { Entrypoint: [...processor.entrypoint], Cmd: [] }),
    User: PROCESSOR_USER,
    Env: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
    Labels: { ...labels },
    OpenStdin: true,
    StdinOnce: true,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    Tty: false,
    HostConfig: {
      ...hardened(memoryBytes + scratchBytes, cpus),
      ...networkOf(network),
      ...scratchOf(memoryBytes, scratchBytes),
      Ulimits: [ulimit('nofile', LIMITS.open_files), ulimit('core', 0), ulimit('cpu', cpuSeconds)],
      ...(gpu === undefined
        ? {}
        : { DeviceRequests: [{ Driver: 'nvidia', Count: gpu.count, Capabilities: [['gpu']] }] }),
    },
  };
}
