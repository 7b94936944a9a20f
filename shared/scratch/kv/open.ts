import { Backends } from '../../providers/backends.ts';
import type { KvCapabilities } from '../capabilities.ts';
import type { ScratchOptions } from '../options.ts';
import type { KvBackend } from './kv.ts';
import { PortableKv } from './portable-kv.ts';

/** The one list of KV backends. A new one adds its line here (docs/adding-a-backend.md). */
export const KV_BACKENDS = new Backends<KvBackend>('KV', [
  ['memory:', async () => (await import('./drivers/memory/memory.ts')).memoryKv],
  ['nats:', async () => (await import('./drivers/nats/nats.ts')).natsKv],
  ['redis://host:6379', async () => (await import('./drivers/redis/redis.ts')).redisKv],
  ['rediss://host:6379', async () => (await import('./drivers/redis/redis.ts')).redisKv],
  ['modal:', async () => (await import('./drivers/modal/modal.ts')).modalKv],
]);

/**
 * Opens what a URL names: `memory:`, `nats:` (on `options.connection`), `nats://host`, …
 * @throws IsomorphError ERR_CONFIG for a URL that no driver knows; ERR_UNAVAILABLE when the backend cannot be reached
 */
export async function openKv(url: string, options: ScratchOptions = {}): Promise<PortableKv> {
  const found = await KV_BACKENDS.find(url);
  return new PortableKv(await found.backend.open(found.url, options), options);
}

/** What the backend of a URL can do, without opening it. @throws ERR_CONFIG as `openKv` does. */
export async function kvCapabilities(url: string): Promise<KvCapabilities> {
  const found = await KV_BACKENDS.find(url);
  return found.backend.capabilities(found.url);
}
