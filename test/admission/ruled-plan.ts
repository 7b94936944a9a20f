import { fileURLToPath } from 'node:url';
import { parseSubmission, type Submission } from '../../services/admission/command.ts';
import { decideSubmit, type Ruling, ruleOn, type Submit } from '../../services/admission/decide.ts';
import type { Deployment } from '../../services/admission/resolve-step.ts';
import type { PlanState } from '../../shared/ledger/state.ts';
import { loadRegistry } from '../../shared/registry/registry.ts';
import { Chain, START_MS } from '../ledger/plan-history.ts';
import { judgedHere } from './judged-here.ts';

export const registry = await loadRegistry(fileURLToPath(new URL('../fixtures/registry', import.meta.url)));
export const deployment: Deployment = {
  pinnedImage: () => undefined,
  faultsAt: () => [],
  defaultAdapter: 'mock',
  adapters: ['mock'],
  secretExists: () => true,
  kv: undefined,
  queue: undefined,
};
export const OPTIONS: Omit<Submit, 'ruling'> = {
  principal: 'anonymous',
  commandSeq: 7,
  nowMs: START_MS,
  declareLeases: false,
};

export function submission(document: unknown): Submission {
  const parsed = parseSubmission(Buffer.from(JSON.stringify(document)));
  if (!parsed.ok) throw new Error(`${parsed.fault.code}: ${parsed.fault.message}`);
  return parsed.value;
}

export const rulingOf = (document: unknown): Ruling =>
  ruleOn(submission(document), registry, { ...deployment, ...judgedHere(document, registry) });

/** The state of a plan after what was decided. */
export function after(state: PlanState, ruling: Ruling, options = OPTIONS): PlanState {
  const { kind, drafts } = decideSubmit(state, { ruling, ...options });
  if (drafts.length === 0) throw new Error(kind);
  return new Chain(state.planId).append('admission', drafts).state;
}
