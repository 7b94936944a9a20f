/** Tells a store that is away as a whole from one that cannot give a single thing. */
import { IsomorphError } from '../errors/isomorph-error.ts';
import type { ArtifactStore } from './artifact-store.ts';

/** Of nobody, and below no folder but its facet's: whatever is wrong with a plan's paths is not wrong with this one. */
const ASKED_PATH = '/artifacts/nothing-is-here';

/** Whether an error of a store may pass. */
const mayPass = (error: unknown): boolean => error instanceof IsomorphError && error.retryable;

/**
 * Whether a store that failed with this error is away as a whole: then what it was asked for is waited for. Else it
 * answers others, and only what it was asked for cannot be had: one artifact's trouble, which must not become everybody's.
 */
export async function isAway(store: Pick<ArtifactStore, 'stat'>, error: unknown): Promise<boolean> {
  if (!mayPass(error)) return false;
  try {
    await store.stat(ASKED_PATH);
    return false;
  } catch (other) {
    return mayPass(other);
  }
}
