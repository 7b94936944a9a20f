import type { PlanState } from '../../../shared/ledger/state.ts';

/** What a reader takes out of a plan's ledger, as plain JSON. */
export const summarize = (state: PlanState): unknown =>
  JSON.parse(
    JSON.stringify({
      phase: state.phase,
      events: state.head.seq,
      head: state.head.hash,
      submitted_at: state.submittedAt,
      settled_at: state.settledAt,
      status: state.settled?.status,
      faults: state.settled?.faults ?? state.rejected?.faults,
      cancelled_by: state.cancelRequested?.reason,
      budget: state.budget,
      executions: [...state.executions.values()].map(({ executionId, end, endedAt, startedAt, settled, ...money }) => ({
        execution_id: executionId,
        started_at: startedAt,
        ended_at: endedAt,
        end,
        reserved: money.reservedUsdMicro,
        actual: money.actualUsdMicro,
        receipt_cid: settled?.receipt_cid,
        memo_key: settled?.memo_key,
      })),
      artifacts: [...state.artifacts.values()].map(({ path, cid }) => `${path} ${cid}`),
      predicates: state.predicates.map(({ pointer, ok }) => `${pointer} ${ok}`),
      series: Object.fromEntries(state.series),
      facts: [...state.facts],
    }),
  );
