/**
 * What every queue driver must do. A driver's own test hands over how to make a client and what the backend can;
 * `memory.test.ts` shows it.
 */
import type { QueueCapabilities } from '../../shared/scratch/capabilities.ts';
import type { Queue } from '../../shared/scratch/queue/queue.ts';
import { type ConformanceOptions, runConformance, type UnderTest } from './conformance.ts';
import type { QueueCase } from './queue-case.ts';
import { queueBasicCases } from './queue-cases-basic.ts';
import { queueDeadCases } from './queue-cases-dead.ts';
import { queueDelayCases } from './queue-cases-delay.ts';
import { queueReceiptCases } from './queue-cases-receipt.ts';

export type QueueUnderTest = UnderTest<Queue>;

export const QUEUE_CASES: readonly QueueCase[] = [
  ...queueBasicCases,
  ...queueReceiptCases,
  ...queueDelayCases,
  ...queueDeadCases,
];

/** `make` opens clients with `maxDeliveries: MAX_DELIVERIES`. */
export function queueConformance(
  driver: string,
  make: () => Promise<QueueUnderTest>,
  capabilities: QueueCapabilities,
  options: ConformanceOptions = {},
): void {
  runConformance({ primitive: 'queue', driver, make, capabilities, cases: QUEUE_CASES, ...options });
}
