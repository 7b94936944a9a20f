import type { Adapter } from '../ids/adapter.ts';
import type { PredicateCall } from './plan.ts';
import type { Processor } from './registry.ts';

/** A step with every default filled in and every path canonical. */
export interface AdmittedStep {
  readonly id: string;
  readonly processor: string;
  readonly params: Readonly<Record<string, unknown>>;
  /** WorldPath by input name. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly needs: readonly string[];
  readonly adapter: Adapter;
  /** What the processor's image was at admission, `name@sha256:…`; absent when nobody could tell: then it is the registry's. */
  readonly image?: string;
  readonly write_prefix: string;
  /** For how long it may wait for a slot; absent: as long as the plan has time. */
  readonly queue_timeout_s?: number;
  readonly retry: { readonly max_attempts: number; readonly backoff_s: number; readonly backoff_factor: number };
}

/** A predicate with its place in the plan document; its paths are canonical. */
export interface AdmittedPredicate {
  /** JSON Pointer into the plan. */
  readonly pointer: string;
  readonly call: PredicateCall;
}

/** Stands in the ledger for the predicates of a plan whose document nobody could read: only that tells which they are. */
export const UNREAD_PREDICATES = { pointer: '', predicate: 'unread' } as const;

/**
 * What admission decided, frozen: the plan with its registry entries as they were. An artifact named by
 * `plan.admitted`, so that a later change of the registry changes no running plan and an auditor sees what ran.
 */
export interface AdmittedPlan {
  readonly v: 1;
  readonly plan_id: string;
  readonly title: string;
  readonly policy: string;
  readonly budget_limit_usd_micro: number;
  readonly steps: readonly AdmittedStep[];
  readonly predicates: readonly AdmittedPredicate[];
  readonly processors: Readonly<Record<string, Processor>>;
}

/** The processor of a step, with the image that was frozen for it. */
export function processorOf(plan: AdmittedPlan, step: AdmittedStep): Processor {
  const processor = plan.processors[step.processor];
  // Admission resolved every reference; a document that lacks one was not written by it.
  if (processor === undefined) throw new Error(`${plan.plan_id} lacks processor ${step.processor}`);
  return step.image === undefined ? processor : { ...processor, image: step.image };
}
