/** What a soak runs on: the embedded stack, and each copy of a service as a process behind a relay of its own. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NatsConnection } from '@nats-io/transport-node';
import type { ServiceName } from '../../services/common/services.ts';
import { connectNats } from '../../shared/nats/connect.ts';
import { openArtifactStore } from '../../shared/world/open.ts';
import { type EmbeddedStack, startEmbeddedStack } from '../../stack/embedded.ts';
import { ServiceProcess } from '../harness/service-process.ts';
import { Relay } from '../scratch/relay.ts';
import { COPIES, type Copy } from './faults.ts';
import { STALLING_INPUT } from './plans.ts';

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Granted to steps of `secret` plans; found anywhere but in scratch it is a finding. */
export const SECRET = 'soak-token-that-nobody-may-read-3f9c1d';
export const PRINCIPALS = ['alice', 'bob'] as const;

export interface Deployment {
  readonly home: string;
  readonly stack: EmbeddedStack;
  readonly copies: ReadonlyMap<Copy, ServiceProcess>;
  readonly relays: ReadonlyMap<Copy, Relay>;
  /** A client without credentials, principals by name, and what has a service's credentials. */
  readonly client: NatsConnection;
  readonly alice: NatsConnection;
  readonly bob: NatsConnection;
  readonly core: NatsConnection;
  /** Where services make what is temporary. */
  readonly temporary: string;
  /** Ends everything; the store is removed unless it is to be looked at. */
  stop(keep: boolean): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function startCopies(
  { serviceEnv, info }: EmbeddedStack,
  { home, temporary }: Pick<Deployment, 'home' | 'temporary'>,
): Promise<Pick<Deployment, 'copies' | 'relays'>> {
  const probes = path.join(home, 'probes');
  await mkdir(probes);
  const gateway = `127.0.0.1:${await freePort()}`;
  const shared = {
    ...serviceEnv,
    ARTIFACTS_GATEWAY_URL: `http://${gateway}`,
    SCRATCH_GATEWAY_URL: `http://${gateway}`,
    GATEWAY_LISTEN: gateway,
    SCRATCH_RETENTION_S: '0',
    SECRETS_URL: 'env:',
    ISOMORPH_SECRET_SOAK_TOKEN: SECRET,
    TMPDIR: temporary,
    SOAK_PROBE_DIR: probes,
    NODE_OPTIONS: `--import=${new URL('./probe.mjs', import.meta.url).href}`,
  };
  const url = new URL(info.nats.serviceUrl);
  const relays = new Map<Copy, Relay>();
  const copies = new Map<Copy, ServiceProcess>();
  for (const copy of COPIES) {
    const relay = new Relay();
    relay.targetPort = Number(url.port);
    const through = new URL(url);
    through.host = await relay.listen();
    relays.set(copy, relay);
    const name = copy.split('-')[0] as ServiceName;
    copies.set(copy, new ServiceProcess(name, { ...shared, NATS_URL: through.href.replace(/\/$/, '') }));
  }
  return { copies, relays };
}

async function putInputs(stack: EmbeddedStack): Promise<void> {
  const store = await openArtifactStore(stack.info.artifacts.url);
  const data = new TextEncoder().encode(STALLING_INPUT.text);
  await store.putBytes({ worldPath: STALLING_INPUT.path, data, contentType: 'application/json' });
  await store.close();
}

export async function startDeployment(): Promise<Deployment> {
  const home = await mkdtemp(path.join(os.tmpdir(), 'isomorph-soak-'));
  const temporary = path.join(home, 'tmp');
  await mkdir(temporary);
  const env = {
    ...process.env,
    ISOMORPH_REGISTRY: here('./registry'),
    ISOMORPH_PROCESSORS: here('./processors'),
    ISOMORPH_PRINCIPALS: PRINCIPALS.join(','),
  };
  const stack = await startEmbeddedStack({ home, env, services: [] });
  await putInputs(stack);
  const { nats } = stack.info;
  const connect = (name: string, url = nats.principals?.[name] ?? '') => connectNats({ url, name: `soak-${name}` });
  const [client, alice, bob, core] = await Promise.all([
    connect('client', nats.url),
    connect('alice'),
    connect('bob'),
    connect('core', nats.serviceUrl),
  ]);
  const { copies, relays } = await startCopies(stack, { home, temporary });
  const stop = async (keep: boolean): Promise<void> => {
    await Promise.all([...copies.values()].map((copy) => copy.stop()));
    if (keep) for (const [copy, { log }] of copies) await writeFile(path.join(home, `${copy}.log`), log);
    await Promise.all([client, alice, bob, core].map((connection) => connection.close()));
    await Promise.all([...relays.values()].map((relay) => relay.close()));
    await stack.stop();
    if (!keep) await rm(home, { recursive: true, force: true });
  };
  return { home, stack, copies, relays, client, alice, bob, core, temporary, stop };
}

/** What lies in a folder, however deep; nothing where there is none. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => path.join(entry.parentPath, entry.name));
}
