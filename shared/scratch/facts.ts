import { isErrorCode } from '../errors/codes.ts';
import type { EventData, FactKind } from '../ledger/events.ts';

/**
 * Why a message was given up, as facts and events tell it: `expired` when nobody answered in time, a code of
 * `docs/errors.md` when a consumer gave that alone, and `nack` for every other word of a consumer's, which may hold anything.
 */
export const reasonCode = (reason: string): string => (reason === 'expired' || isErrorCode(reason) ? reason : 'nack');

/** A fact of scratch use: what the sampler makes an event of. No bodies, no values, and names as `names.ts` tells them. */
export type ScratchFact = {
  [K in FactKind]: { readonly planId: string; readonly kind: K; readonly data: Omit<EventData<K>, 'fact_id'> };
}[FactKind];

/** Where facts go. `emit` returns at once and never throws: audit must not slow or fail what it watches. */
export interface FactSink {
  emit(fact: ScratchFact): void;
  /** Facts that were dropped because the sink was full or its server away. */
  readonly dropped: number;
  /** Resolves when everything emitted so far is stored or dropped. */
  flush(): Promise<void>;
  close(): Promise<void>;
}
