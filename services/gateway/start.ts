import type { FactSink } from '../../shared/scratch/facts.ts';
import type { ScratchLimits } from '../../shared/scratch/limits.ts';
import { type FileArtifactStore, openFileStore } from '../../shared/world/drivers/file/file.ts';
import type { Limits } from '../common/config/limits.ts';
import type { Opened, Opening } from '../common/opening.ts';
import { BoundedFacts } from './bounded-facts.ts';
import { NatsFactSink } from './facts.ts';
import { startGatewayService } from './service.ts';
import { trafficLimits } from './traffic.ts';

/** The store that the gateway serves: one of another kind signs URLs of its own server. */
async function servedStore(opening: Opening): Promise<FileArtifactStore | undefined> {
  const { artifactsUrl } = opening.config;
  const url = artifactsUrl === undefined ? undefined : new URL(artifactsUrl);
  return url?.protocol === 'file:' ? opening.keep(await openFileStore(url)) : undefined;
}

function openFacts(opening: Opening): FactSink {
  const { connection, log } = opening.deps;
  const bounds = { most: opening.config.factsOfPlan, tell: opening.tellLimit };
  const facts = new BoundedFacts(new NatsFactSink(connection), bounds);
  opening.keep({
    async close() {
      await facts.close();
      if (facts.dropped > 0) log.warn({ dropped: facts.dropped }, 'audit facts of scratch were dropped');
    },
  });
  return facts;
}

/** `host:port`, as the configuration has checked it. */
function listenAt(text: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(`tcp://${text}`);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) };
}

const scratchLimits = (config: Limits): ScratchLimits => ({
  kvKeys: config.kvKeys,
  kvBytes: config.kvBytesOfPlan,
  queueMessages: config.queueMessages,
  queueBytes: config.queueBytesOfPlan,
  queueTopics: config.queueTopics,
});

/** The gateway as its configuration says. */
export async function start(opening: Opening): Promise<Opened> {
  const { config, deps } = opening;
  // Opened before KV and queues, so that it is closed after them: they tell facts to the end.
  const limit = { limits: scratchLimits(config), tell: opening.tellLimit };
  const options = { connection: deps.connection, factSink: openFacts(opening), limit };
  return startGatewayService({
    ...deps,
    ...listenAt(config.gatewayListen),
    secret: await opening.gatewayKey(),
    store: await servedStore(opening),
    kv: await opening.kv(options),
    queue: await opening.queue(options),
    limits: trafficLimits(config),
    tellLimit: opening.tellLimit,
  });
}
