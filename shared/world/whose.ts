/** Whose a path is: of one owner alone, so that no two ever meet there. */
import { IsomorphError } from '../errors/isomorph-error.ts';
import { planOfPath } from '../ids/ids.ts';
import { canonicalWorldPath } from '../ids/world-path.ts';
import type { ArtifactStore } from './artifact-store.ts';

/** Who puts artifacts by hand; no plan can be called so. */
export const BY_HAND = 'artifact put';

/**
 * Makes sure that a path is its owner's, before anything is named or written there: by its name, or by a claim for good.
 * @throws IsomorphError ERR_IMMUTABLE when it is another's
 */
export async function takePath(store: Pick<ArtifactStore, 'claim'>, worldPath: string, owner: string): Promise<void> {
  const path = canonicalWorldPath(worldPath, 'exact');
  const whose = planOfPath(path) ?? (await store.claim({ worldPath: path, owner }));
  if (whose === owner) return;
  const holder = whose === BY_HAND ? 'to what was put by hand' : `to the plan ${whose}`;
  throw new IsomorphError('ERR_IMMUTABLE', `${path} belongs ${holder}`, { pointer: path, expected: 'another path' });
}
