import { LRUCache } from 'lru-cache';
import { IsomorphError } from '../errors/isomorph-error.ts';
import type { Cid } from '../hash/cid.ts';
import type { PlanState } from '../ledger/state.ts';
import type { AdmittedPlan } from '../plan/admitted.ts';
import type { ArtifactStore } from '../world/artifact-store.ts';

/** Text of documents; their values take several times as much. */
const CACHED_BYTES = 8 * 1024 * 1024;

/** A plan, and where its ledger says that its admitted document is. */
export interface NamedDocument extends Pick<PlanState, 'planId'> {
  readonly admitted: Pick<NonNullable<PlanState['admitted']>, 'admitted_path' | 'admitted_cid'> | undefined;
}

/** Reads the admitted documents that ledgers name, each once: an artifact under its CID never changes. */
export class AdmittedPlans {
  readonly #cache: LRUCache<Cid, AdmittedPlan, string>;

  constructor(store: ArtifactStore) {
    this.#cache = new LRUCache({
      maxSize: CACHED_BYTES,
      // Whoever waits for it gets it, though others have pushed it out meanwhile.
      ignoreFetchAbort: true,
      fetchMethod: async (expectedCid, _, { options, context: worldPath }) => {
        const bytes = await store.getBytes({ worldPath, expectedCid });
        options.size = bytes.byteLength;
        // Its CID is in the ledger: it is what admission wrote, so its shape needs no second check.
        return JSON.parse(new TextDecoder().decode(bytes)) as AdmittedPlan;
      },
    });
  }

  /** @throws ERR_NOT_FOUND, ERR_CID_MISMATCH when the World does not hold what the ledger says. */
  async of({ planId, admitted }: NamedDocument): Promise<AdmittedPlan> {
    if (admitted === undefined) throw new IsomorphError('ERR_INTERNAL', `${planId} is not admitted`);
    return this.#cache.forceFetch(admitted.admitted_cid as Cid, { context: admitted.admitted_path });
  }

  /** For when a plan is over. */
  forget({ admitted }: NamedDocument): void {
    if (admitted !== undefined) this.#cache.delete(admitted.admitted_cid as Cid);
  }
}
