/** The one place that knows which KV drivers there are. Each is imported when its scheme is first asked for. */
import { IsomorphError } from '../../errors/isomorph-error.ts';
import type { KvCapabilities } from '../capabilities.ts';
import type { ScratchOptions } from '../options.ts';
import type { KvBackend } from './kv.ts';
import { PortableKv } from './portable-kv.ts';

/** By scheme. A new backend adds its line here (docs/adding-a-backend.md). */
const BACKENDS: Readonly<Record<string, () => Promise<KvBackend>>> = {
  memory: async () => (await import('./drivers/memory/memory.ts')).memoryKv,
  nats: async () => (await import('./drivers/nats/nats.ts')).natsKv,
  redis: async () => (await import('./drivers/redis/redis.ts')).redisKv,
  rediss: async () => (await import('./drivers/redis/redis.ts')).redisKv,
  modal: async () => (await import('./drivers/modal/modal.ts')).modalKv,
};

export const KV_SCHEMES: readonly string[] = Object.keys(BACKENDS);

async function backendOf(url: string): Promise<{ readonly parsed: URL; readonly backend: KvBackend }> {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const scheme = parsed?.protocol.slice(0, -1) ?? '';
  const load = Object.hasOwn(BACKENDS, scheme) ? BACKENDS[scheme] : undefined;
  if (parsed === undefined || load === undefined) {
    // The URL itself stays out of the message: it may carry a password.
    throw new IsomorphError('ERR_CONFIG', `no KV backend has the scheme "${scheme}"`, {
      expected: `a URL with one of the schemes ${KV_SCHEMES.join(', ')}`,
    });
  }
  return { parsed, backend: await load() };
}

/**
 * Opens what a URL names: `memory:`, `nats:` (on `options.connection`), `nats://host`, …
 * @throws IsomorphError ERR_CONFIG for a URL that no driver knows; ERR_UNAVAILABLE when the backend cannot be reached
 */
export async function openKv(url: string, options: ScratchOptions = {}): Promise<PortableKv> {
  const { parsed, backend } = await backendOf(url);
  return new PortableKv(await backend.open(parsed, options), options);
}

/** What the backend of a URL can do, without opening it. @throws ERR_CONFIG as `openKv` does. */
export async function kvCapabilities(url: string): Promise<KvCapabilities> {
  const { parsed, backend } = await backendOf(url);
  return backend.capabilities(parsed);
}
