import type { TellLimit } from '../async/limit-notice.ts';
import { IsomorphError } from '../errors/isomorph-error.ts';

/** What one plan may hold in scratch. ADR 97 says how exactly each is counted. */
export interface ScratchLimits {
  readonly kvKeys: number;
  /** Of keys and values. */
  readonly kvBytes: number;
  /** In all topics of the plan, dead letters included. */
  readonly queueMessages: number;
  readonly queueBytes: number;
  readonly queueTopics: number;
}

/** How a limit is kept and told: the same for KV and queues. */
export interface LimitOptions {
  readonly limits: ScratchLimits;
  readonly tell: TellLimit;
}

export const NAMES: Readonly<Record<keyof ScratchLimits, string>> = {
  kvKeys: 'keys',
  kvBytes: 'bytes of keys and values',
  queueMessages: 'messages in queues',
  queueBytes: 'bytes in queues',
  queueTopics: 'topics',
};

/** @throws ERR_LIMIT when a plan would hold more than it may */
export function checkLimit(
  { limits, tell }: LimitOptions,
  key: keyof ScratchLimits,
  planId: string,
  used: number,
): void {
  const most = limits[key];
  tell({ limit: NAMES[key], of: planId, used, most });
  if (used <= most) return;
  throw new IsomorphError('ERR_LIMIT', `the plan holds as many ${NAMES[key]} as it may`, {
    expected: `at most ${most} ${NAMES[key]} of a plan`,
  });
}
