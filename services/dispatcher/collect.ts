import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { executionFolder } from '../../shared/ids/ids.ts';
import { joinWorldPath } from '../../shared/ids/world-path.ts';
import type { Draft, EventData } from '../../shared/ledger/events.ts';
import type { PlanState } from '../../shared/ledger/state.ts';
import type { AdmittedStep } from '../../shared/plan/admitted.ts';
import { DEFAULT_MAX_OUTPUT_BYTES, type Processor, type ProcessorOutput } from '../../shared/plan/registry.ts';
import type { ArtifactStore, PutResult } from '../../shared/world/artifact-store.ts';
import { type Collected, isOrphan } from './decide.ts';
import { failure } from './outcome.ts';
import type { Scrub } from './scrub.ts';

export interface CollectOptions {
  readonly store: ArtifactStore;
  readonly state: PlanState;
  readonly step: AdmittedStep;
  readonly processor: Processor;
  readonly executionId: string;
  readonly scrub: Scrub;
}

/** For a run that failed: its outputs are nobody's. */
export const NOT_COLLECTED: Collected = { ok: false, why: failure('ERR_INTERNAL', 'its outputs were not collected') };

const written = (data: EventData<'artifact.written'>): Draft => ({ kind: 'artifact.written', data });

/** An upload as an artifact; undefined when there is none. */
async function promote(
  options: CollectOptions,
  output: ProcessorOutput,
  worldPath: string,
): Promise<PutResult | undefined> {
  const { store, state, step, executionId } = options;
  const maxBytes = output.max_bytes ?? DEFAULT_MAX_OUTPUT_BYTES;
  const request = { uploadId: executionId, worldPath, contentType: output.content_type, maxBytes };
  try {
    return await store.promote(request);
  } catch (error) {
    const taken = error instanceof IsomorphError && error.code === 'ERR_IMMUTABLE';
    if (!taken || !isOrphan(state, step.id, worldPath)) throw error;
    const orphan = await store.stat(worldPath);
    return orphan === undefined ? store.promote(request) : store.replaceOrphan({ ...request, orphanCid: orphan.cid });
  }
}

/** Re-hashes what a run uploaded and makes artifacts of it: all declared outputs, or none of them is named. */
export async function collectOutputs(options: CollectOptions): Promise<Collected> {
  const { step, processor, executionId, scrub } = options;
  const artifacts: Draft[] = [];
  for (const output of processor.outputs) {
    const path = joinWorldPath(step.write_prefix, output.path);
    let result: PutResult | undefined;
    try {
      result = await promote(options, output, path);
    } catch (error) {
      if (!(error instanceof IsomorphError) || error.retryable) throw error;
      return { ok: false, why: failure(error.code, scrub.own(`${output.path}: ${error.message}`)) };
    }
    if (result === undefined) {
      if (!output.required) continue;
      return { ok: false, why: failure('ERR_OUTPUT_MISSING', `${output.path} was not written`) };
    }
    const { cid, sha256, size } = result;
    artifacts.push(written({ path, cid, sha256, size, content_type: output.content_type, execution_id: executionId }));
  }
  return { ok: true, artifacts };
}

/** Stores the log of an execution; one that was stored before a crash stays as it is. */
export async function storeLog(
  store: ArtifactStore,
  planId: string,
  executionId: string,
  log: string,
): Promise<Draft[]> {
  if (log === '') return [];
  const path = `${executionFolder(planId, executionId)}log.txt`;
  const contentType = 'text/plain; charset=utf-8';
  const about = { path, content_type: contentType, execution_id: executionId };
  try {
    const data = new TextEncoder().encode(log);
    const { cid, sha256, size } = await store.putBytes({ worldPath: path, data, contentType });
    return [written({ ...about, cid, sha256, size })];
  } catch (error) {
    if (!(error instanceof IsomorphError) || error.code !== 'ERR_IMMUTABLE') throw error;
    const stat = await store.stat(path);
    if (stat === undefined) throw error;
    return [written({ ...about, cid: stat.cid, sha256: stat.sha256, size: stat.size })];
  }
}
