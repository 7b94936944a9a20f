import { type Fault, fault } from '../../shared/errors/isomorph-error.ts';
import { canonicalBytes } from '../../shared/hash/canonical.ts';
import { type Cid, cidOf } from '../../shared/hash/cid.ts';
import { canonicalWorldPath } from '../../shared/ids/world-path.ts';
import { boundedFaults } from '../../shared/ledger/bounded-faults.ts';
import { type Decision, NOTHING } from '../../shared/ledger/decider.ts';
import type { Draft } from '../../shared/ledger/events.ts';
import type { PlanState } from '../../shared/ledger/state.ts';
import type { AdmittedPlan } from '../../shared/plan/admitted.ts';
import { firstLookAt } from '../../shared/plan/due.ts';
import type { Plan } from '../../shared/plan/plan.ts';
import type { Registry } from '../../shared/registry/registry.ts';
import type { Submission } from './command.ts';
import { resolvePlan } from './resolve-plan.ts';
import type { Deployment } from './resolve-step.ts';

/** A document that belongs to a plan, stored before the event that names it. */
export interface StoredDocument {
  readonly path: string;
  readonly cid: Cid;
  readonly bytes: Uint8Array;
}

/** What admission makes of a submission; the same for the same submission, registry and deployment. */
export interface Ruling {
  readonly submitted: StoredDocument;
  readonly admitted:
    | { readonly document: StoredDocument; readonly plan: AdmittedPlan; readonly source: Plan }
    | undefined;
  readonly faults: readonly Fault[];
}

/** A plan runs for a day at most when it does not say. */
const DEFAULT_TIMEOUT_S = 86_400;

/** The path carries the hash: a command that was killed half-way leaves nothing in the way of the next one. */
function documentOf(planId: string, name: string, bytes: Uint8Array): StoredDocument {
  const cid = cidOf(bytes);
  return { path: canonicalWorldPath(`/artifacts/plans/${planId}/${name}-${cid.slice(7, 23)}.json`), cid, bytes };
}

export function ruleOn(submission: Submission, registry: Registry, deployment: Deployment): Ruling {
  const submitted = documentOf(submission.planId, 'plan', submission.body);
  const resolved = resolvePlan(submission.document, registry, deployment);
  if (!resolved.ok) return { submitted, admitted: undefined, faults: resolved.faults };
  const { plan, admitted } = resolved.value;
  const document = documentOf(submission.planId, 'admitted', canonicalBytes(admitted));
  return { submitted, admitted: { document, plan: admitted, source: plan }, faults: [] };
}

const rejection = (faults: readonly Fault[]): Draft => ({
  kind: 'plan.rejected',
  data: { faults: boundedFaults(faults), fault_count: faults.length },
});

const timeoutOf = ({ timeout_s: timeoutS = DEFAULT_TIMEOUT_S }: Plan): number => timeoutS;

/** When a plan that is about to be admitted is first looked at. */
export const wakeAt = ({ plan, source }: NonNullable<Ruling['admitted']>, nowMs: number): number =>
  firstLookAt(plan, nowMs + timeoutOf(source) * 1_000, nowMs);

function admission({ document, plan, source }: NonNullable<Ruling['admitted']>, nowMs: number): Draft {
  const timeoutS = timeoutOf(source);
  return {
    kind: 'plan.admitted',
    data: {
      admitted_path: document.path,
      admitted_cid: document.cid,
      policy: plan.policy,
      steps: plan.steps.length,
      budget_limit_usd_micro: plan.budget_limit_usd_micro,
      deadline: new Date(nowMs + timeoutS * 1000).toISOString(),
      predicates: plan.predicates.length,
      timeout_s: timeoutS,
    },
  };
}

function leases({ source }: NonNullable<Ruling['admitted']>): Draft[] {
  return source.steps.flatMap((step) =>
    (step.leases ?? []).map(
      ({ selector, mode }): Draft => ({
        kind: 'lease.declared',
        data: { step_id: step.id, selector, mode },
      }),
    ),
  );
}

export type SubmitDecision = Decision &
  (
    | { readonly kind: 'admitted' | 'rejected' }
    /** The same plan was submitted before, or this very command was rejected: one run, the same answer. */
    | { readonly kind: 'duplicate' }
    | { readonly kind: 'conflict'; readonly fault: Fault }
  );

export interface Submit {
  readonly ruling: Ruling;
  readonly nowMs: number;
  /** Who commands. */
  readonly principal: string;
  /** Of the command in COMMANDS. */
  readonly commandSeq: number;
  /** Leases are a façade: recorded when this is on, never enforced. */
  readonly declareLeases: boolean;
}

/** Whether the id is free: nobody has it, or all who asked for it were rejected and this is another command. */
export const idIsFree = ({ phase, rejectedCommands }: PlanState, commandSeq: number): boolean =>
  phase === 'absent' || (phase === 'rejected' && !rejectedCommands.has(commandSeq));

/** What is said of a command whose plan_id is not free. */
function taken(state: PlanState, cid: string, commandSeq: number): SubmitDecision {
  const { planId, rejectedCommands, submitted } = state;
  if (rejectedCommands.has(commandSeq) || submitted?.plan_cid === cid) return { kind: 'duplicate', drafts: [] };
  const reason = fault('ERR_PLAN_CONFLICT', `plan ${planId} exists with another body`, {
    pointer: '/plan_id',
    expected: `a new plan_id, or the body with CID ${submitted?.plan_cid}`,
  });
  return { kind: 'conflict', fault: reason, drafts: [] };
}

export function decideSubmit(
  state: PlanState,
  { ruling, principal, commandSeq, nowMs, declareLeases }: Submit,
): SubmitDecision {
  const { submitted, admitted, faults } = ruling;
  if (!idIsFree(state, commandSeq)) return taken(state, submitted.cid, commandSeq);
  const first: Draft = {
    kind: 'plan.submitted',
    data: {
      plan_path: submitted.path,
      plan_cid: submitted.cid,
      bytes: submitted.bytes.byteLength,
      principal,
      command_seq: commandSeq,
    },
  };
  if (admitted === undefined) return { kind: 'rejected', drafts: [first, rejection(faults)] };
  const declared = declareLeases ? leases(admitted) : [];
  return { kind: 'admitted', drafts: [first, ...declared, admission(admitted, nowMs)] };
}

export interface CancelDecision extends Decision {
  /** Why nothing can be cancelled. */
  readonly refused?: Fault;
}

export interface Cancel {
  /** Of the command in COMMANDS. */
  readonly commandSeq: number;
  /** Who commands. */
  readonly principal: string;
  /** Principals who may cancel plans of others. */
  readonly operators: readonly string[];
}

/**
 * Cancelling twice, or a plan that has ended, changes nothing. A plan that was submitted after the cancellation is another
 * one than was meant: whoever held it meanwhile and slept must not end that one.
 */
export function decideCancel(state: PlanState, { commandSeq, principal, operators }: Cancel): CancelDecision {
  const { planId, phase, submitted, cancelRequested } = state;
  if (submitted === undefined || submitted.command_seq > commandSeq) {
    const why = submitted === undefined ? `no plan ${planId}` : `plan ${planId} was submitted after its cancellation`;
    const reason = fault('ERR_PLAN_UNKNOWN', why, { pointer: '/plan_id' });
    return { refused: reason, drafts: [] };
  }
  if (submitted.principal !== principal && !operators.includes(principal)) {
    const expected = `a command of ${submitted.principal} or of an operator`;
    return { refused: fault('ERR_PRINCIPAL', `plan ${planId} is not of ${principal}`, { expected }), drafts: [] };
  }
  const open = phase === 'admitted' && cancelRequested === undefined;
  return open ? { drafts: [{ kind: 'plan.cancel_requested', data: { reason: 'client' } }] } : NOTHING;
}
