import type { LedgerEvent } from '../../shared/ledger/events.ts';
import type { PlanState } from '../../shared/ledger/state.ts';
import type { AdmittedPlan } from '../../shared/plan/admitted.ts';
import { type Work, workSubject } from '../../shared/wire/work.ts';

/** A message that something in the ledger asks for. Its id is that of what asks, so that it is stored once however often it is sent. */
export interface Effect {
  readonly subject: string;
  readonly msgId: string;
  readonly body: Work;
}

/** What an event in the commit at `ledgerSeq` asks for: a scheduled execution its work. */
export function effectOf(event: LedgerEvent, ledgerSeq: number): Effect | undefined {
  const { kind, plan_id } = event;
  if (kind !== 'execution.scheduled') return undefined;
  const { execution_id, adapter, not_before } = event.data;
  const body: Work = { plan_id, execution_id, not_before, ledger_seq: ledgerSeq };
  return { subject: workSubject(adapter), msgId: `work-${execution_id}`, body };
}

/**
 * When what a settled plan left in scratch is to go; undefined for one that had none.
 * @param plan undefined where its document cannot be read: it may have left something
 */
export function purgeAt(
  { settledAt }: Pick<PlanState, 'settledAt'>,
  plan: Pick<AdmittedPlan, 'processors'> | undefined,
  scratchRetentionS: number,
): number | undefined {
  const users = Object.values(plan?.processors ?? {}).filter(({ scratch }) => scratch.length > 0);
  if (settledAt === undefined || (plan !== undefined && users.length === 0)) return undefined;
  return Date.parse(settledAt) + scratchRetentionS * 1_000;
}
