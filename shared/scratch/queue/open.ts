/** The one place that knows which queue drivers there are. Each is imported when its scheme is first asked for. */
import { IsomorphError } from '../../errors/isomorph-error.ts';
import type { QueueCapabilities } from '../capabilities.ts';
import type { QueueOptions } from '../options.ts';
import { PortableQueue } from './portable-queue.ts';
import type { QueueBackend } from './queue.ts';

/** By scheme. A new backend adds its line here (docs/adding-a-backend.md). */
const BACKENDS: Readonly<Record<string, () => Promise<QueueBackend>>> = {
  memory: async () => (await import('./drivers/memory/memory.ts')).memoryQueue,
  nats: async () => (await import('./drivers/nats/nats.ts')).natsQueue,
  redis: async () => (await import('./drivers/redis/redis.ts')).redisQueue,
  rediss: async () => (await import('./drivers/redis/redis.ts')).redisQueue,
  sqs: async () => (await import('./drivers/sqs/sqs.ts')).sqsQueue,
  modal: async () => (await import('./drivers/modal/modal.ts')).modalQueue,
};

export const QUEUE_SCHEMES: readonly string[] = Object.keys(BACKENDS);

async function backendOf(url: string): Promise<{ readonly parsed: URL; readonly backend: QueueBackend }> {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const scheme = parsed?.protocol.slice(0, -1) ?? '';
  const load = Object.hasOwn(BACKENDS, scheme) ? BACKENDS[scheme] : undefined;
  if (parsed === undefined || load === undefined) {
    // The URL itself stays out of the message: it may carry a password.
    throw new IsomorphError('ERR_CONFIG', `no queue backend has the scheme "${scheme}"`, {
      expected: `a URL with one of the schemes ${QUEUE_SCHEMES.join(', ')}`,
    });
  }
  return { parsed, backend: await load() };
}

/**
 * Opens what a URL names: `memory:`, `nats:` (on `options.connection`), `nats://host`, …
 * @throws IsomorphError ERR_CONFIG for a URL that no driver knows; ERR_UNAVAILABLE when the backend cannot be reached
 */
export async function openQueue(url: string, options: QueueOptions = {}): Promise<PortableQueue> {
  const { parsed, backend } = await backendOf(url);
  return new PortableQueue(await backend.open(parsed, options), options);
}

/** What the backend of a URL can do, without opening it. @throws ERR_CONFIG as `openQueue` does. */
export async function queueCapabilities(url: string): Promise<QueueCapabilities> {
  const { parsed, backend } = await backendOf(url);
  return backend.capabilities(parsed);
}
