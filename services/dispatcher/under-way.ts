/** The executions that one worker has in hand, by plan: what a cancellation must end, runs that are there and those about to be. */
export class UnderWay {
  readonly #plans = new Map<string, { readonly executions: Set<string>; cancelled: boolean }>();

  async during<T>(planId: string, executionId: string, work: () => Promise<T>): Promise<T> {
    const plan = this.#plans.get(planId) ?? { executions: new Set(), cancelled: false };
    this.#plans.set(planId, plan);
    plan.executions.add(executionId);
    try {
      return await work();
    } finally {
      plan.executions.delete(executionId);
      if (plan.executions.size === 0) this.#plans.delete(planId);
    }
  }

  /** Remembers the cancellation for as long as something of the plan is in hand. @returns what is in hand */
  cancel(planId: string): readonly string[] {
    const plan = this.#plans.get(planId);
    if (plan === undefined) return [];
    plan.cancelled = true;
    return [...plan.executions];
  }

  isCancelled(planId: string): boolean {
    return this.#plans.get(planId)?.cancelled === true;
  }
}
