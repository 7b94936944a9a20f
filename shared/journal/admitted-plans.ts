import { LRUCache } from 'lru-cache';
import { IsomorphError } from '../errors/isomorph-error.ts';
import type { Cid } from '../hash/cid.ts';
import type { PlanState } from '../ledger/state.ts';
import type { AdmittedPlan } from '../plan/admitted.ts';
import type { ArtifactStore } from '../world/artifact-store.ts';

const CACHED_PLANS = 500;

/** A plan, and where its ledger says that its admitted document is. */
export interface NamedDocument extends Pick<PlanState, 'planId'> {
  readonly admitted: Pick<NonNullable<PlanState['admitted']>, 'admitted_path' | 'admitted_cid'> | undefined;
}

/** Reads the admitted documents that ledgers name, each once: an artifact under its CID never changes. */
export class AdmittedPlans {
  readonly #store: ArtifactStore;
  readonly #cache = new LRUCache<string, Promise<AdmittedPlan>>({ max: CACHED_PLANS });

  constructor(store: ArtifactStore) {
    this.#store = store;
  }

  /** @throws ERR_NOT_FOUND, ERR_CID_MISMATCH when the World does not hold what the ledger says. */
  async of({ planId, admitted }: NamedDocument): Promise<AdmittedPlan> {
    if (admitted === undefined) throw new IsomorphError('ERR_INTERNAL', `${planId} is not admitted`);
    const cached = this.#cache.get(admitted.admitted_cid);
    if (cached !== undefined) return cached;
    const plan = this.#read(admitted.admitted_path, admitted.admitted_cid as Cid);
    this.#cache.set(admitted.admitted_cid, plan);
    plan.catch(() => this.#cache.delete(admitted.admitted_cid));
    return plan;
  }

  async #read(worldPath: string, expectedCid: Cid): Promise<AdmittedPlan> {
    const bytes = await this.#store.getBytes({ worldPath, expectedCid });
    // Its CID is in the ledger: it is what admission wrote, so its shape needs no second check.
    return JSON.parse(new TextDecoder().decode(bytes)) as AdmittedPlan;
  }
}
