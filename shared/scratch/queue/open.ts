import { Backends } from '../../providers/backends.ts';
import type { QueueCapabilities } from '../capabilities.ts';
import type { QueueOptions } from '../options.ts';
import { PortableQueue } from './portable-queue.ts';
import type { QueueBackend } from './queue.ts';

/** The one list of queue backends. A new one adds its line here (docs/adding-a-backend.md). */
export const QUEUE_BACKENDS = new Backends<QueueBackend>('queue', [
  ['memory:', async () => (await import('./drivers/memory/memory.ts')).memoryQueue],
  ['nats:', async () => (await import('./drivers/nats/nats.ts')).natsQueue],
  ['redis://host:6379', async () => (await import('./drivers/redis/redis.ts')).redisQueue],
  ['rediss://host:6379', async () => (await import('./drivers/redis/redis.ts')).redisQueue],
  ['sqs://eu-central-1', async () => (await import('./drivers/sqs/sqs.ts')).sqsQueue],
  ['modal:', async () => (await import('./drivers/modal/modal.ts')).modalQueue],
]);

/**
 * Opens what a URL names: `memory:`, `nats:` (on `options.connection`), `nats://host`, …
 * @throws IsomorphError ERR_CONFIG for a URL that no driver knows; ERR_UNAVAILABLE when the backend cannot be reached
 */
export async function openQueue(url: string, options: QueueOptions = {}): Promise<PortableQueue> {
  const found = await QUEUE_BACKENDS.find(url);
  return new PortableQueue(await found.backend.open(found.url, options), options);
}

/** What the backend of a URL can do, without opening it. @throws ERR_CONFIG as `openQueue` does. */
export async function queueCapabilities(url: string): Promise<QueueCapabilities> {
  const found = await QUEUE_BACKENDS.find(url);
  return found.backend.capabilities(found.url);
}
