/** A plan of one probe step, changed as a test wants it. */
export const probePlan = (planId: string, step: Record<string, unknown> = {}, plan: Record<string, unknown> = {}) => ({
  plan_id: planId,
  budget: { limit_usd_micro: 100_000 },
  steps: [{ id: 'probe', processor: 'test/probe@1', ...step }],
  ...plan,
});
