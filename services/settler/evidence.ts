import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import type { PlanState } from '../../shared/ledger/state.ts';
import type { AdmittedPredicate } from '../../shared/plan/admitted.ts';
import { predicateOf } from '../../shared/plan/predicates/index.ts';
import type { ArtifactEvidence, Evidence, PredicateResult, Read } from '../../shared/plan/predicates/predicate.ts';
import type { ArtifactStore } from '../../shared/world/artifact-store.ts';
import { isEvidence } from './decide.ts';

type ArtifactRead = Extract<Read, { kind: 'artifact' }>;

/** More than any predicate judges is not read. */
const MAX_BYTES = 16 * 1024 * 1024;

interface Sight {
  readonly store: ArtifactStore;
  readonly state: PlanState;
}

async function readArtifact(
  { store, state }: Sight,
  { path, bytes }: ArtifactRead,
): Promise<ArtifactEvidence | undefined> {
  const stat = await store.stat(path);
  if (stat === undefined || !isEvidence(state, stat)) return undefined;
  const { cid, size } = stat;
  if (!bytes || size > MAX_BYTES) return { cid, size, bytes: undefined };
  try {
    return { cid, size, bytes: await store.getBytes({ worldPath: path, expectedCid: cid }) };
  } catch (error) {
    if (error instanceof IsomorphError && error.code === 'ERR_CID_MISMATCH') return undefined;
    throw error;
  }
}

/** Reads what predicates look at, then lets each judge. */
export async function checkPredicates(
  sight: Sight,
  predicates: readonly AdmittedPredicate[],
): Promise<PredicateResult[]> {
  const results: PredicateResult[] = [];
  for (const { call } of predicates) {
    const predicate = predicateOf(call);
    if (predicate === undefined) {
      results.push({ ok: false, found: `this version knows no ${call.use}` });
      continue;
    }
    const artifacts = new Map<string, ArtifactEvidence | undefined>();
    for (const read of predicate.reads(call)) {
      if (read.kind !== 'artifact') continue;
      artifacts.set(read.path, await readArtifact(sight, read));
    }
    const evidence: Evidence = {
      artifact: (path) => artifacts.get(path),
      series: (name) => sight.state.series.get(name),
    };
    results.push(predicate.check(call, evidence));
  }
  return results;
}
