import type { EventData, FactKind } from '../ledger/events.ts';

/** A fact of scratch use: what the sampler makes an event of. No bodies, no values. */
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
