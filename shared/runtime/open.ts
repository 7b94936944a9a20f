import { unreachable } from '../errors/isomorph-error.ts';
import type { Adapter } from '../ids/adapter.ts';
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
}

/**
 * The runtime of an adapter.
 * @throws ERR_CONFIG for one that is not configured as it needs, ERR_UNAVAILABLE for `local` where no engine answers
 */
export async function openRuntime(adapter: Adapter, options: OpenRuntimeOptions): Promise<RuntimeAdapter> {
  switch (adapter) {
    case 'mock':
      return new (await import('./drivers/mock/mock.ts')).MockRuntime(options);
    case 'local': {
      // Once it runs it waits for an engine that goes away; without one at the start somebody would wait for nothing.
      const { answeringEngine } = await import('../providers/docker/engine-client.ts');
      return (await import('./drivers/local/local.ts')).openLocalRuntime(options, answeringEngine);
    }
    case 'modal':
      return (await import('./drivers/modal/modal.ts')).ModalRuntime.open({ url: options.modalUrl });
    default:
      return unreachable(adapter);
  }
}
