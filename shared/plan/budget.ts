import type { Processor } from './registry.ts';

/** All amounts are integer micro-dollars. */
type Cost = Pick<Processor, 'cost' | 'read_only' | 'runtime'>;

/** What is held for one execution: fixed + per second × timeout; nothing for a read-only processor. */
export const reserveFor = ({ cost, read_only: readOnly, runtime }: Cost): number =>
  readOnly ? 0 : cost.usd_micro_fixed + cost.usd_micro_per_s * runtime.timeout_s;

/**
 * What one execution cost: fixed + per second × seconds, rounded up, never above what was reserved; all of that when
 * nobody knows how long it ran (null).
 */
export function actualFor(processor: Cost, durationMs: number | null): number {
  const reserve = reserveFor(processor);
  if (durationMs === null) return reserve;
  const { usd_micro_fixed: fixed, usd_micro_per_s: perSecond } = processor.cost;
  // Whole milliseconds first: 0.1 s × 3 is no integer in binary floating point.
  return Math.min(reserve, fixed + Math.ceil((perSecond * Math.max(0, Math.ceil(durationMs))) / 1000));
}
