import { type Fault, toFault } from '../../shared/errors/isomorph-error.ts';
import type { PlanState } from '../../shared/ledger/state.ts';

/**
 * What a store or a judge says; where it cannot, what its failure means for a plan that has to end: one that is cancelled or
 * past its deadline waits for nobody (Law 4). Any other plan waits with the message.
 * @throws what `ask` throws, while nothing asks the plan to end
 */
export async function unlessItMustEnd<T, U>(
  { cancelRequested }: Pick<PlanState, 'cancelRequested'>,
  ask: () => Promise<T>,
  without: (fault: Fault) => U,
): Promise<T | U> {
  try {
    return await ask();
  } catch (error) {
    if (cancelRequested === undefined) throw error;
    return without(toFault(error));
  }
}
