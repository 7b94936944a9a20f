import { loadRegistry } from '../../shared/registry/registry.ts';
import { kvCapabilities } from '../../shared/scratch/kv/open.ts';
import { queueCapabilities } from '../../shared/scratch/queue/open.ts';
import type { Opened, Opening } from '../common/opening.ts';
import { MOST_SLOW, startAdmission } from './service.ts';
import { watchStreams } from './watch-streams.ts';

/** Admission as its configuration says. */
export async function start(opening: Opening): Promise<Opened> {
  const { config, deps } = opening;
  const { adapters, kvUrl, queueUrl } = config;
  const [defaultAdapter = 'mock'] = adapters;
  const admission = await startAdmission({
    ...deps,
    judge: opening.judge({ mostSlow: MOST_SLOW }),
    secrets: await opening.secrets(),
    store: await opening.store(),
    registry: await loadRegistry(config.registryDir),
    declareLeases: config.declareLeases,
    operators: config.operators,
    limits: config,
    tellLimit: opening.tellLimit,
    deployment: {
      ...{ adapters, defaultAdapter },
      kv: kvUrl === undefined ? undefined : await kvCapabilities(kvUrl),
      queue: queueUrl === undefined ? undefined : await queueCapabilities(queueUrl),
    },
  });
  const watch = watchStreams(deps.connection, deps.log);
  return {
    async stop() {
      await watch.stop();
      await admission.stop();
    },
  };
}
