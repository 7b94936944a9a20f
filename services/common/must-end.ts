import { type Fault, IsomorphError, toFault } from '../../shared/errors/isomorph-error.ts';
import type { AdmittedPlans } from '../../shared/journal/admitted-plans.ts';
import type { PlanState } from '../../shared/ledger/state.ts';
import type { AdmittedPlan } from '../../shared/plan/admitted.ts';

/** For so long a store or a judge may stay silent for a plan that has to end. */
const PATIENCE_MS = 2_000;

const silence = (): IsomorphError =>
  new IsomorphError('ERR_UNAVAILABLE', `there was no answer in ${PATIENCE_MS / 1_000} s, and the plan had to end`);

/** What is asked for one plan, which may have to end while it is asked. Whoever was silent once then is asked nothing more. */
export class PlanQuestions {
  readonly #waiting = new Set<() => void>();
  #mustEnd: boolean;
  #isSilent = false;

  constructor(mustEnd: boolean) {
    this.#mustEnd = mustEnd;
  }

  get mustEnd(): boolean {
    return this.#mustEnd;
  }

  /** The ledger asks the plan to end. */
  tell(): void {
    this.#mustEnd = true;
    for (const begin of this.#waiting) begin();
  }

  /** @throws what `ask` throws; ERR_UNAVAILABLE when it is silent for longer than a plan that has to end waits */
  async answer<T>(ask: () => Promise<T>): Promise<T> {
    if (this.#isSilent) throw silence();
    let timer: NodeJS.Timeout | undefined;
    let begin = (): void => undefined;
    const over = new Promise<never>((_, reject) => {
      const end = (): void => {
        this.#isSilent = true;
        reject(silence());
      };
      begin = () => {
        timer ??= setTimeout(end, PATIENCE_MS);
      };
    });
    this.#waiting.add(begin);
    if (this.#mustEnd) begin();
    try {
      return await Promise.race([ask(), over]);
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(begin);
    }
  }
}

/**
 * What a store or a judge says; where it cannot, or says nothing, what that means for a plan that has to end: one that is
 * cancelled or past its deadline waits for nobody (Law 4). Any other plan waits with the message.
 * @throws what `ask` throws, while nothing asks the plan to end
 */
export async function unlessItMustEnd<T, U>(
  ending: PlanQuestions | boolean,
  ask: () => Promise<T>,
  without: (fault: Fault) => U,
): Promise<T | U> {
  const asked = typeof ending === 'boolean' ? new PlanQuestions(ending) : ending;
  try {
    return await asked.answer(ask);
  } catch (error) {
    if (!asked.mustEnd) throw error;
    return without(toFault(error));
  }
}

/** The admitted document of a plan; undefined where the plan has to end and it cannot be read. @throws as {@link unlessItMustEnd} */
export const documentUnlessItMustEnd = (
  plans: Pick<AdmittedPlans, 'of'>,
  state: PlanState,
): Promise<AdmittedPlan | undefined> =>
  unlessItMustEnd(
    state.cancelRequested !== undefined,
    () => plans.of(state),
    () => undefined,
  );
