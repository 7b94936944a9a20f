import type { NatsConnection } from '@nats-io/transport-node';
import { IsomorphError } from '../errors/isomorph-error.ts';
import type { Adapter } from '../ids/adapter.ts';
import type { RunLimits } from './run-limits.ts';
import type { RuntimeAdapter } from './runtime.ts';

export interface OpenRuntimeOptions {
  /** Folder of the processors' folders. */
  readonly processorsDir: string;
  /** Folder of the runtime's own state. */
  readonly stateDir: string;
  /** Of `local`: `host:port` of what processors with a network grant reach (docs/local-runtime.md). Default: nothing. */
  readonly endpoints?: readonly string[];
  /** Of `local`: an image with Node, for the relay of processors whose own image has none of ours. */
  readonly relayImage?: string;
  /** Where `modal` runs: docs/modal.md. Default `modal:`. */
  readonly modalUrl?: string;
  /** Of `worker`: to the server that workers are on, as a service. */
  readonly connection?: NatsConnection;
  /** Of `local`: connections of all containers to what they are granted. Default: 512. */
  readonly relayConnections?: number;
  /** Of `local`: the largest scratch volume. Default: 1 GiB. */
  readonly scratchBytes?: number;
  /** What is read of a run, in a second. Default: `RUN_LIMITS`. */
  readonly limits?: RunLimits;
}

type OpenRuntime = (options: OpenRuntimeOptions) => Promise<RuntimeAdapter>;

/** How each runtime is opened; their names are in `shared/ids/adapter.ts`, and the compiler holds both together. */
const RUNTIMES: Readonly<Record<Adapter, OpenRuntime>> = {
  mock: async (options) => new (await import('./drivers/mock/mock.ts')).MockRuntime(options).open(),
  async local(options) {
    // Once it runs it waits for an engine that goes away; without one at the start somebody would wait for nothing.
    const { answeringEngine } = await import('../providers/docker/engine-client.ts');
    return (await import('./drivers/local/local.ts')).openLocalRuntime(options, answeringEngine);
  },
  modal: async ({ modalUrl, limits }) =>
    (await import('./drivers/modal/modal.ts')).ModalRuntime.open({ url: modalUrl, ...(limits && { limits }) }),
  async worker({ connection, limits }) {
    if (connection === undefined) throw new IsomorphError('ERR_CONFIG', 'the worker runtime has no connection to NATS');
    return new (await import('./drivers/worker/worker.ts')).WorkerRuntime({ connection, ...(limits && { limits }) });
  },
};

/**
 * The runtime of an adapter.
 * @throws ERR_CONFIG for one that is not configured as it needs, ERR_UNAVAILABLE for `local` where no engine answers
 */
export const openRuntime = (adapter: Adapter, options: OpenRuntimeOptions): Promise<RuntimeAdapter> =>
  RUNTIMES[adapter](options);
