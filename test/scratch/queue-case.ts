import type { QueueCapabilities } from '../../shared/scratch/capabilities.ts';
import type { Queue } from '../../shared/scratch/queue/queue.ts';
import type { Case } from './conformance.ts';

/** The clients of a queue under test give a message up after 3 deliveries. */
export const MAX_DELIVERIES = 3;

export type QueueCase = Case<Queue, QueueCapabilities>;
