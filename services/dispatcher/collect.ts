import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import type { Cid } from '../../shared/hash/cid.ts';
import { joinWorldPath } from '../../shared/ids/world-path.ts';
import type { Draft, EventData } from '../../shared/ledger/events.ts';
import type { AdmittedStep } from '../../shared/plan/admitted.ts';
import { logPath } from '../../shared/plan/left.ts';
import { DEFAULT_MAX_OUTPUT_BYTES, type Processor } from '../../shared/plan/registry.ts';
import type { ArtifactStore, Sealed } from '../../shared/world/artifact-store.ts';
import { takePath } from '../../shared/world/whose.ts';
import type { Collected } from './decide.ts';
import { failure } from './outcome.ts';
import type { Scrub } from './scrub.ts';

export interface CollectOptions {
  readonly store: ArtifactStore;
  readonly planId: string;
  readonly step: AdmittedStep;
  readonly processor: Processor;
  readonly executionId: string;
  readonly scrub: Scrub;
}

/** For a run that failed: its outputs are nobody's. */
export const NOT_COLLECTED: Collected = { ok: false, why: failure('ERR_INTERNAL', 'its outputs were not collected') };

const written = (data: EventData<'artifact.written'>): Draft => ({ kind: 'artifact.written', data });

/** What cannot be shown must not be named: the path is the plan's, and nothing else is there. */
async function makeSure(store: ArtifactStore, planId: string, worldPath: string, cid: Cid): Promise<void> {
  await takePath(store, worldPath, planId);
  await store.checkFree({ worldPath, cid });
}

/**
 * Seals and hashes what a run uploaded: all declared outputs, or none of them is named. Nothing is visible before the
 * commit that names it.
 */
export async function sealOutputs({
  store,
  planId,
  step,
  processor,
  executionId,
  scrub,
}: CollectOptions): Promise<Collected> {
  const artifacts: Draft[] = [];
  for (const {
    path: name,
    content_type,
    required,
    max_bytes: maxBytes = DEFAULT_MAX_OUTPUT_BYTES,
  } of processor.outputs) {
    const path = joinWorldPath(step.write_prefix, name);
    let sealed: Sealed | undefined;
    try {
      sealed = await store.seal({ uploadId: executionId, worldPath: path, maxBytes });
      if (sealed !== undefined) await makeSure(store, planId, path, sealed.cid);
    } catch (error) {
      if (!(error instanceof IsomorphError) || error.retryable) throw error;
      return { ok: false, why: failure(error.code, scrub.own(`${name}: ${error.message}`)) };
    }
    if (sealed === undefined) {
      if (!required) continue;
      return { ok: false, why: failure('ERR_OUTPUT_MISSING', `${name} was not written`) };
    }
    const { cid, sha256, size } = sealed;
    artifacts.push(written({ path, cid, sha256, size, content_type, execution_id: executionId }));
  }
  return { ok: true, artifacts };
}

/** Seals the log of an execution; one that was sealed before a crash stays as it is. */
export async function sealLog(
  store: ArtifactStore,
  planId: string,
  executionId: string,
  log: string,
): Promise<Draft[]> {
  if (log === '') return [];
  const path = logPath(planId, executionId);
  const data = new TextEncoder().encode(log);
  const { cid, sha256, size } = await store.sealBytes({ uploadId: executionId, worldPath: path, data });
  const content_type = 'text/plain; charset=utf-8';
  return [written({ path, cid, sha256, size, content_type, execution_id: executionId })];
}
