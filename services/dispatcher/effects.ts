import type { LedgerEvent } from '../../shared/ledger/events.ts';
import type { AdmittedPlan } from '../../shared/plan/admitted.ts';
import {
  PURGE_SUBJECT,
  type Purge,
  TIMER_SUBJECT,
  type Timer,
  type Work,
  workSubject,
} from '../../shared/wire/work.ts';

/** A message that something in the ledger asks for. Its id is that of what asks, so that it is stored once however often it is sent. */
export interface Effect {
  readonly subject: string;
  readonly msgId: string;
  readonly body: Work | Timer | Purge;
}

/** What an event in the commit at `ledgerSeq` asks for: a scheduled execution its work, an admitted plan the alarm of its deadline. */
export function effectOf(event: LedgerEvent, ledgerSeq: number): Effect | undefined {
  const { kind, plan_id } = event;
  if (kind === 'execution.scheduled') {
    const { execution_id, adapter, not_before } = event.data;
    const body: Work = { plan_id, execution_id, not_before, ledger_seq: ledgerSeq };
    return { subject: workSubject(adapter), msgId: `work-${execution_id}`, body };
  }
  if (kind === 'plan.admitted') {
    const body: Timer = { plan_id, deadline: event.data.deadline, ledger_seq: ledgerSeq };
    return { subject: TIMER_SUBJECT, msgId: `timer-${plan_id}`, body };
  }
  return undefined;
}

export interface Retention {
  readonly nowMs: number;
  /** How long the scratch of a settled plan is kept, so that somebody can look into it. */
  readonly scratchRetentionS: number;
}

/** The end of what a settled plan left in scratch; undefined for one that had none. */
export function purgeOf(
  { plan_id, processors }: Pick<AdmittedPlan, 'plan_id' | 'processors'>,
  { nowMs, scratchRetentionS }: Retention,
): Effect | undefined {
  if (Object.values(processors).every(({ scratch }) => scratch.length === 0)) return undefined;
  const not_before = new Date(nowMs + scratchRetentionS * 1_000).toISOString();
  return { subject: PURGE_SUBJECT, msgId: `purge-${plan_id}`, body: { plan_id, not_before } };
}
