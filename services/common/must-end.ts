import { type Fault, toFault } from '../../shared/errors/isomorph-error.ts';

/**
 * What a store or a judge says; where it cannot, what its failure means for a plan that has to end: one that is cancelled or
 * past its deadline waits for nobody (Law 4). Any other plan waits with the message.
 * @throws what `ask` throws, while nothing asks the plan to end
 */
export async function unlessItMustEnd<T, U>(
  mustEnd: boolean,
  ask: () => Promise<T>,
  without: (fault: Fault) => U,
): Promise<T | U> {
  try {
    return await ask();
  } catch (error) {
    if (!mustEnd) throw error;
    return without(toFault(error));
  }
}
