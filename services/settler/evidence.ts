import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { type Judge, type JudgedPredicate, TOO_COSTLY } from '../../shared/judge/judge.ts';
import type { SentEvidence } from '../../shared/judge/question.ts';
import type { PlanState } from '../../shared/ledger/state.ts';
import type { AdmittedPredicate } from '../../shared/plan/admitted.ts';
import type { PredicateCall } from '../../shared/plan/plan.ts';
import { type BoundPredicate, predicateOf } from '../../shared/plan/predicates/index.ts';
import type { ArtifactEvidence, EvidenceRead, PredicateResult } from '../../shared/plan/predicates/predicate.ts';
import type { ArtifactStore } from '../../shared/world/artifact-store.ts';
import { isEvidence } from './decide.ts';
import { unlessItMustEnd } from './must-end.ts';

type ArtifactRead = Extract<EvidenceRead, { kind: 'artifact' }>;

/** More than any predicate judges is not read. */
const MAX_BYTES = 16 * 1024 * 1024;

interface Sight {
  readonly store: ArtifactStore;
  readonly judge: Pick<Judge, 'predicate'>;
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

async function evidenceOf(sight: Sight, reads: readonly EvidenceRead[]): Promise<SentEvidence> {
  const artifacts: [string, ArtifactEvidence][] = [];
  const series: [string, number][] = [];
  for (const read of reads) {
    if (read.kind === 'artifact') {
      const found = await readArtifact(sight, read);
      if (found !== undefined) artifacts.push([read.path, found]);
    } else {
      const watermark = sight.state.series.get(read.series);
      if (watermark !== undefined) series.push([read.series, watermark]);
    }
  }
  return { artifacts, series };
}

/** A plan that has so many predicates too costly to judge is not asked for more: each costs seconds. */
const MAX_COSTLY = 5;

/**
 * The judgement of one predicate. A plan that is cancelled or past its deadline is not kept open by a store or a judge
 * that cannot be asked: what is missing is then what was found.
 */
function check(sight: Sight, predicate: BoundPredicate, call: PredicateCall): Promise<JudgedPredicate> {
  const { judge, state } = sight;
  const ask = async () => judge.predicate(state.planId, call, await evidenceOf(sight, predicate.reads(call)));
  return unlessItMustEnd(state, ask, ({ code, message }) => {
    const found = `could not be judged before the plan had to end: ${code}: ${message}`;
    return { ok: false, found, isTooCostly: false };
  });
}

/**
 * Reads what predicates look at, then lets each be judged.
 * @throws what a store or a judge throws, such as ERR_UNAVAILABLE and ERR_REFUSED, while nothing asks the plan to end
 */
export async function checkPredicates(
  sight: Sight,
  predicates: readonly AdmittedPredicate[],
): Promise<PredicateResult[]> {
  const results: PredicateResult[] = [];
  // The ones of commits before count too: a plan has so many, not a commit.
  let costly = sight.state.predicates.filter(({ found }) => found.startsWith(TOO_COSTLY)).length;
  for (const { call } of predicates) {
    const predicate = predicateOf(call);
    if (predicate === undefined) results.push({ ok: false, found: `this version knows no ${call.use}` });
    else if (costly >= MAX_COSTLY && predicate.hasProgram) {
      results.push({ ok: false, found: `${TOO_COSTLY}: ${MAX_COSTLY} predicates before it were` });
    } else {
      const { ok, found, isTooCostly } = await check(sight, predicate, call);
      results.push({ ok, found });
      if (isTooCostly) costly += 1;
    }
  }
  return results;
}
