import { openRuntime } from '../../shared/runtime/open.ts';
import { OwnClockRuntime } from '../../shared/runtime/own-clock.ts';
import type { Config } from '../common/config/config.ts';
import { type Opened, type Opening, required } from '../common/opening.ts';
import { startDispatcher } from './service.ts';

const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' };

/** `host:port` of what the URLs of jobs name, for containers that may reach nothing else. */
function reachable({ artifactsUrl, gatewayUrl, scratchGatewayUrl }: Config): string[] {
  const store = artifactsUrl === undefined ? undefined : new URL(artifactsUrl).searchParams;
  const s3 = store?.get('public_endpoint') ?? store?.get('endpoint') ?? undefined;
  const hosts = [gatewayUrl, scratchGatewayUrl, s3].flatMap((text) => {
    if (text === undefined || !URL.canParse(text)) return [];
    const { hostname, port, protocol } = new URL(text);
    return [`${hostname}:${port === '' ? DEFAULT_PORTS[protocol] : port}`];
  });
  return [...new Set(hosts)];
}

async function runtimesOf(opening: Opening) {
  const { config, deps, tellLimit: tell } = opening;
  const limits = { reportsPerS: config.reportsOfExecution, logBytesPerS: config.logBytesOfExecution, tell };
  const runtimes = await Promise.all(
    config.adapters.map((adapter) =>
      openRuntime(adapter, {
        processorsDir: config.processorsDir,
        stateDir: `${config.homeDir}/${adapter}`,
        endpoints: reachable(config),
        relayImage: config.relayImage,
        modalUrl: config.modalUrl,
        connection: deps.connection,
        limits,
        relayConnections: config.relayConnections,
        scratchBytes: config.localScratchBytes,
      }),
    ),
  );
  return runtimes.map((runtime) => opening.keep(new OwnClockRuntime(runtime, opening.deps.nowMs)));
}

/** Where the scratch of this deployment is: how processors reach it, and what is to be purged. */
async function scratchOf(opening: Opening) {
  const { config, deps } = opening;
  const opened = [await opening.kv(deps), await opening.queue(deps)];
  const scratchStores = opened.filter((store) => store !== undefined);
  if (scratchStores.length === 0) return { scratchStores, scratch: undefined };
  const secret = await opening.gatewayKey();
  return { scratchStores, scratch: { url: required(config.scratchGatewayUrl, 'SCRATCH_GATEWAY_URL'), secret } };
}

/** The dispatcher as its configuration says. */
export async function start(opening: Opening): Promise<Opened> {
  const { config, deps, instance } = opening;
  return startDispatcher({
    ...deps,
    runtimes: await runtimesOf(opening),
    secrets: await opening.secrets(),
    ...(await scratchOf(opening)),
    store: await opening.store(),
    slots: config.slots,
    scratchRetentionS: config.scratchRetentionS,
    instance,
  });
}
