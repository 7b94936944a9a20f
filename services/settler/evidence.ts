import type { ByteRoom } from '../../shared/async/byte-room.ts';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { type Judge, type JudgedPredicate, TOO_COSTLY } from '../../shared/judge/judge.ts';
import type { SentEvidence } from '../../shared/judge/question.ts';
import { ANONYMOUS } from '../../shared/ledger/events.ts';
import type { PlanState } from '../../shared/ledger/state.ts';
import type { AdmittedPredicate } from '../../shared/plan/admitted.ts';
import type { PredicateCall } from '../../shared/plan/plan.ts';
import { type BoundPredicate, predicateOf } from '../../shared/plan/predicates/index.ts';
import type { ArtifactEvidence, EvidenceRead, PredicateResult } from '../../shared/plan/predicates/predicate.ts';
import type { ArtifactStat, ArtifactStore } from '../../shared/world/artifact-store.ts';
import { type PlanQuestions, unlessItMustEnd } from '../common/must-end.ts';
import { isEvidence } from './decide.ts';

/** More than any predicate judges is not read. */
const MAX_BYTES = 16 * 1024 * 1024;

/** Bytes of large evidence that a settler holds at once, of all plans: evidence waits for the judge with its question. */
export const EVIDENCE_BYTES = 4 * MAX_BYTES;

/** Evidence up to this size waits for no room: as many as there are handlers are no more than one that is large. */
const SMALL_BYTES = 256 * 1024;

interface Sight {
  readonly store: ArtifactStore;
  readonly judge: Pick<Judge, 'predicate'>;
  readonly room: Pick<ByteRoom, 'during'>;
  readonly state: PlanState;
  /** Default: as the state says. */
  readonly ending?: PlanQuestions;
}

/** What is at a path that a predicate looks at; its bytes are read when there is room for them. */
interface Found {
  readonly stat: ArtifactStat;
  readonly isRead: boolean;
}

async function look({ store, state }: Sight, reads: readonly EvidenceRead[]): Promise<Found[]> {
  const found: Found[] = [];
  for (const read of reads) {
    if (read.kind !== 'artifact') continue;
    const stat = await store.stat(read.path);
    if (stat !== undefined && isEvidence(state, stat))
      found.push({ stat, isRead: read.bytes && stat.size <= MAX_BYTES });
  }
  return found;
}

/** Undefined when what is there is not what the store says. */
async function readArtifact({ store }: Sight, { stat, isRead }: Found): Promise<ArtifactEvidence | undefined> {
  const { path: worldPath, cid, size } = stat;
  if (!isRead) return { cid, size, bytes: undefined };
  try {
    return { cid, size, bytes: await store.getBytes({ worldPath, expectedCid: cid }) };
  } catch (error) {
    if (error instanceof IsomorphError && error.code === 'ERR_CID_MISMATCH') return undefined;
    throw error;
  }
}

async function evidenceOf(
  sight: Sight,
  reads: readonly EvidenceRead[],
  found: readonly Found[],
): Promise<SentEvidence> {
  const artifacts: [string, ArtifactEvidence][] = [];
  for (const one of found) {
    const artifact = await readArtifact(sight, one);
    if (artifact !== undefined) artifacts.push([one.stat.path, artifact]);
  }
  const series = reads.flatMap((read): [string, number][] => {
    const watermark = read.kind === 'series' ? sight.state.series.get(read.series) : undefined;
    return read.kind === 'series' && watermark !== undefined ? [[read.series, watermark]] : [];
  });
  return { artifacts, series };
}

/** Bytes are held from when they are read until they are judged: a plan holds those of one predicate, and waits in turn. */
async function judged(sight: Sight, predicate: BoundPredicate, call: PredicateCall): Promise<JudgedPredicate> {
  const reads = predicate.reads(call);
  const found = await look(sight, reads);
  const bytes = found.reduce((sum, { stat, isRead }) => sum + (isRead ? stat.size : 0), 0);
  // Of the principal, not of the plan: however many plans one has, they have one turn in the room and at the judge.
  const asker = sight.state.submitted?.principal ?? ANONYMOUS;
  const ask = async () => sight.judge.predicate(asker, call, await evidenceOf(sight, reads, found));
  return bytes <= SMALL_BYTES ? ask() : sight.room.during(asker, bytes, ask);
}

/** A plan that has so many predicates too costly to judge is not asked for more: each costs seconds. */
const MAX_COSTLY = 5;

/**
 * The judgement of one predicate. A plan that is cancelled or past its deadline is not kept open by a store or a judge
 * that cannot be asked: what is missing is then what was found.
 */
function check(sight: Sight, predicate: BoundPredicate, call: PredicateCall): Promise<JudgedPredicate> {
  return unlessItMustEnd(
    sight.ending ?? sight.state.cancelRequested !== undefined,
    () => judged(sight, predicate, call),
    ({ code, message }) => {
      const found = `could not be judged before the plan had to end: ${code}: ${message}`;
      return { ok: false, found, isTooCostly: false };
    },
  );
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
