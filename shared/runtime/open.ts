import { IsomorphError, unreachable } from '../errors/isomorph-error.ts';
import type { Adapter } from '../plan/plan.ts';
import type { RuntimeAdapter } from './runtime.ts';

export interface OpenRuntimeOptions {
  /** Folder of the processors' folders. */
  readonly processorsDir: string;
  /** Folder of the runtime's own state. */
  readonly stateDir: string;
}

/**
 * The runtime of an adapter.
 * @throws ERR_CONFIG for one that this version does not have.
 */
export async function openRuntime(adapter: Adapter, options: OpenRuntimeOptions): Promise<RuntimeAdapter> {
  switch (adapter) {
    case 'mock':
      return new (await import('./drivers/mock/mock.ts')).MockRuntime(options);
    case 'local':
    case 'modal':
      throw new IsomorphError('ERR_CONFIG', `this version has no ${adapter} runtime`, { expected: 'mock' });
    default:
      return unreachable(adapter);
  }
}
