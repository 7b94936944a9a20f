/** What every container gets whatever its plan and registry file say; figures measured in docs/local-runtime.md. */
export const LIMITS = {
  /** Processes and threads: stops a fork bomb, lets sharp and Python's pools live. */
  processes: 512,
  /** Engines without CAP_SYS_RESOURCE refuse more than 20000. */
  open_files: 16_384,
  /** CPU seconds beyond the timeout, after which the kernel ends a processor that no dispatcher watches any more. */
  cpu_margin_s: 60,
  /** The smallest memory that engines accept is 6 MB; a Node process needs more to say why it cannot go on. */
  min_memory_bytes: 32 * 1024 * 1024,
} as const;

/** The engine's own log of a container: a bound on disk that outlives us and never blocks the processor. */
export const LOG_CONFIG = { Type: 'json-file', Config: { 'max-size': '1m', 'max-file': '2' } } as const;

/** Unprivileged, and in no image the owner of anything but its home. */
export const PROCESSOR_USER = '65532:65532';

/** Where sockets of the network grant appear in a container (ADR 13); `processors/sdk/relay.ts` knows it too. */
export const GRANT_FOLDER = '/run/isomorph';
