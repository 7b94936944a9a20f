/** States as plain values, for comparing: of a persistent map nothing but its methods can be seen. */
import { PersistentMap, PersistentSet } from '../../shared/ledger/persistent.ts';
import type { PlanState } from '../../shared/ledger/state.ts';

export const plain = (state: PlanState): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(state).map(([name, value]) => [
      name,
      value instanceof PersistentMap || value instanceof PersistentSet ? [...value] : structuredClone(value),
    ]),
  );
