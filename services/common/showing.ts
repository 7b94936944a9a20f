import pLimit from 'p-limit';
import { delay } from '../../shared/async/delay.ts';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import type { Cid } from '../../shared/hash/cid.ts';
import type { Artifact, PlanState } from '../../shared/ledger/state.ts';
import type { ArtifactStat, ArtifactStore } from '../../shared/world/artifact-store.ts';

/** A store that refuses holds up so many at most, and none of what else a service does. */
const AT_ONCE = 16;

/** Who named it shows it within a moment: until then another looks again, and only then does it too. */
const LOOKS_MS: readonly number[] = [5, 10, 20, 40, 80, 160, 320, 640, 1_280];

type Store = Pick<ArtifactStore, 'stat' | 'show'>;

/**
 * Brings what the ledger names before everybody's eyes. A commit names the outputs of an execution while they are sealed;
 * no event tells that they were shown, so whoever is about to use one asks here first.
 */
export class Showing {
  readonly #store: Store;
  readonly #limit = pLimit(AT_ONCE);
  /** By path: what is being shown here is waited for, not shown twice. */
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(store: Store) {
    this.#store = store;
  }

  /**
   * Shows what the caller has sealed and named.
   * @throws ERR_UNAVAILABLE, ERR_REFUSED while the store cannot be asked; what `ArtifactStore.show` throws
   */
  async show(artifacts: readonly Artifact[]): Promise<void> {
    await Promise.all(artifacts.map((artifact) => this.#showNow(artifact)));
  }

  /** As `show`, for what another may be about to show. */
  async ensureShown(artifacts: readonly Artifact[]): Promise<void> {
    await Promise.all(artifacts.map((artifact) => this.#showInTime(artifact)));
  }

  /** What is at a path, once what the ledger of the plan names there is shown. Undefined: nothing, and nothing will be. */
  async stat(state: PlanState, path: string): Promise<ArtifactStat | undefined> {
    const found = await this.#store.stat(path);
    const named = state.artifacts.get(path);
    if (found !== undefined || named === undefined) return found;
    try {
      await this.ensureShown([named]);
    } catch (error) {
      // Neither sealed nor there: as good as absent, and whoever asked says so.
      if (!(error instanceof IsomorphError) || error.code !== 'ERR_NOT_FOUND') throw error;
    }
    return this.#store.stat(path);
  }

  #showNow({ path, cid, sha256, size, content_type, execution_id = '' }: Artifact): Promise<void> {
    const known = this.#underWay.get(path);
    if (known !== undefined) return known;
    const about = { uploadId: execution_id, worldPath: path, contentType: content_type };
    const showing = this.#limit(async () => {
      await this.#store.show({ ...about, cid: cid as Cid, sha256, size });
    }).finally(() => this.#underWay.delete(path));
    this.#underWay.set(path, showing);
    return showing;
  }

  async #showInTime(artifact: Artifact): Promise<void> {
    for (const ms of LOOKS_MS) {
      const showing = this.#underWay.get(artifact.path);
      if (showing !== undefined) return showing;
      const found = await this.#limit(() => this.#store.stat(artifact.path));
      if (found?.cid === artifact.cid) return;
      // Other bytes: showing tells.
      if (found !== undefined) break;
      await delay(ms);
    }
    return this.#showNow(artifact);
  }
}
