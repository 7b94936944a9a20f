/**
 * What every KV driver must do. A driver's own test hands over how to make a client and what the backend can;
 * `memory.test.ts` shows it.
 */
import type { KvCapabilities } from '../../shared/scratch/capabilities.ts';
import type { Kv } from '../../shared/scratch/kv/kv.ts';
import { type ConformanceOptions, runConformance, type UnderTest } from './conformance.ts';
import type { KvCase } from './kv-case.ts';
import { kvBasicCases } from './kv-cases-basic.ts';
import { kvCounterCases } from './kv-cases-counter.ts';
import { kvTtlCases } from './kv-cases-ttl.ts';

export type KvUnderTest = UnderTest<Kv>;

export const KV_CASES: readonly KvCase[] = [...kvBasicCases, ...kvTtlCases, ...kvCounterCases];

export function kvConformance(
  driver: string,
  make: () => Promise<KvUnderTest>,
  capabilities: KvCapabilities,
  options: ConformanceOptions = {},
): void {
  runConformance({ primitive: 'kv', driver, make, capabilities, cases: KV_CASES, ...options });
}
