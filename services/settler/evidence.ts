import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import type { Cid } from '../../shared/hash/cid.ts';
import type { PlanState } from '../../shared/ledger/state.ts';
import type { AdmittedPlan } from '../../shared/plan/admitted.ts';
import { predicateOf } from '../../shared/plan/predicates/index.ts';
import type { ArtifactEvidence, Evidence, PredicateResult } from '../../shared/plan/predicates/predicate.ts';
import type { ArtifactStore } from '../../shared/world/artifact-store.ts';

/** More than any predicate judges is not read. */
const MAX_BYTES = 16 * 1024 * 1024;

async function readArtifact(
  store: ArtifactStore,
  state: PlanState,
  path: string,
  bytes: boolean,
): Promise<ArtifactEvidence | undefined> {
  const stat = await store.stat(path);
  if (stat === undefined) return undefined;
  const named = state.artifacts.get(path)?.cid as Cid | undefined;
  const { cid, size } = stat;
  // An object that is not what the ledger names is none of the plan's: as good as absent.
  if (named !== undefined && named !== cid) return undefined;
  if (!bytes || size > MAX_BYTES) return { cid, size, bytes: undefined };
  try {
    return { cid, size, bytes: await store.getBytes({ worldPath: path, expectedCid: named ?? cid }) };
  } catch (error) {
    if (error instanceof IsomorphError && error.code === 'ERR_CID_MISMATCH') return undefined;
    throw error;
  }
}

/** Reads what the predicates of a plan look at, then lets each judge. */
export async function checkPredicates(
  store: ArtifactStore,
  state: PlanState,
  plan: AdmittedPlan,
): Promise<PredicateResult[]> {
  const outcomes: PredicateResult[] = [];
  for (const { call } of plan.predicates) {
    const predicate = predicateOf(call);
    if (predicate === undefined) {
      outcomes.push({ ok: false, found: `this version knows no ${call.use}` });
      continue;
    }
    const artifacts = new Map<string, ArtifactEvidence | undefined>();
    for (const read of predicate.reads(call)) {
      if (read.kind !== 'artifact') continue;
      artifacts.set(read.path, await readArtifact(store, state, read.path, read.bytes));
    }
    const evidence: Evidence = {
      artifact: (path) => artifacts.get(path),
      series: (name) => state.series.get(name),
    };
    outcomes.push(predicate.check(call, evidence));
  }
  return outcomes;
}
