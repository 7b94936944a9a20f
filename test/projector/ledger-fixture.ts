/** Ledgers for tests: whole lives of plans, appended through the journal as services do. */

import { cidOf } from '../../shared/hash/cid.ts';
import { executionFolder, executionId, outputPrefix } from '../../shared/ids/ids.ts';
import type { Journal } from '../../shared/journal/journal.ts';
import type { Draft, LedgerWriter } from '../../shared/ledger/events.ts';
import { LEGAL } from '../../shared/ledger/legal.ts';
import type { AdmittedPlan } from '../../shared/plan/admitted.ts';
import type { ArtifactStore } from '../../shared/world/artifact-store.ts';

export const ENVIRONMENT = {
  adapter: 'mock',
  image: 'isomorph/test:1',
  image_digest: '',
  cpu: 0.5,
  memory_gb: 1,
  timeout_s: 10,
  region: 'local',
  present_env_keys: ['PATH'],
  versions: { node: '20' },
} as const;

/** A chain of steps, each needing the one before it. */
export function admittedPlan(planId: string, stepIds: readonly string[]): AdmittedPlan {
  return {
    v: 1,
    plan_id: planId,
    title: `The plan ${planId}`,
    policy: 'default',
    budget_limit_usd_micro: 1_000,
    steps: stepIds.map((id, index) => ({
      id,
      processor: 'test/copy@1',
      params: {},
      inputs: { table: '/artifacts/inputs/table.csv' },
      needs: stepIds.slice(Math.max(0, index - 1), index),
      adapter: 'mock',
      write_prefix: outputPrefix(planId, id),
      retry: { max_attempts: 2, backoff_s: 1, backoff_factor: 2 },
    })),
    predicates: [],
    processors: {
      'test/copy@1': {
        ref: 'test/copy@1',
        description: 'copies',
        image: 'isomorph/test:1',
        entrypoint: ['true'],
        runtime: { cpu: 0.5, memory_gb: 1, timeout_s: 10, network: 'artifacts' },
        adapters: ['mock'],
        secrets: { required: [] },
        inputs: { artifacts: {}, params: {} },
        outputs: [],
        scratch: [],
        read_only: false,
        cost: { usd_micro_fixed: 10, usd_micro_per_s: 1 },
      },
    },
  };
}

const encoded = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

/** Writes lives of plans to a ledger and what they name to the World. */
export class Author {
  readonly #journalOf: (by: LedgerWriter) => Journal;
  readonly #store: ArtifactStore;
  readonly #lastSeqs = new Map<string, number>();

  /** @param journalOf a journal for each writer, the same whenever it is asked for */
  constructor(journalOf: (by: LedgerWriter) => Journal, store: ArtifactStore) {
    this.#journalOf = journalOf;
    this.#store = store;
  }

  async append(planId: string, ...drafts: Draft[]): Promise<number> {
    // Who may write the last draft may write those in front of it.
    const by = LEGAL[drafts.at(-1)?.kind ?? 'plan.submitted'].by[0] ?? 'settler';
    const journal = this.#journalOf(by);
    // It decides nothing by the state, so each journal must have seen what the others wrote.
    await journal.load(planId, this.#lastSeqs.get(planId));
    const { lastSeq } = await journal.append(planId, () => ({ drafts }));
    this.#lastSeqs.set(planId, lastSeq);
    return lastSeq;
  }

  async put(path: string, data: Uint8Array): Promise<{ path: string; cid: string; sha256: string; size: number }> {
    const { cid, sha256, size } = await this.#store.putBytes({
      worldPath: path,
      data,
      contentType: 'application/json',
    });
    return { path, cid, sha256, size };
  }

  /** @param options.withDocument false: the World lacks the admitted document */
  async submit(planId: string, stepIds: readonly string[], options = { withDocument: true }): Promise<number> {
    const plan = admittedPlan(planId, stepIds);
    const submitted = await this.put(`/artifacts/plans/${planId}/plan.json`, encoded({ plan_id: planId }));
    const admittedPath = `/artifacts/plans/${planId}/admitted.json`;
    const admitted = options.withDocument
      ? await this.put(admittedPath, encoded(plan))
      : { path: admittedPath, cid: cidOf(encoded(plan)) };
    return this.append(
      planId,
      {
        kind: 'plan.submitted',
        data: {
          plan_path: submitted.path,
          plan_cid: submitted.cid,
          bytes: submitted.size,
          principal: 'anonymous',
          command_seq: 1,
        },
      },
      {
        kind: 'plan.admitted',
        data: {
          admitted_path: admitted.path,
          admitted_cid: admitted.cid,
          policy: 'default',
          steps: stepIds.length,
          budget_limit_usd_micro: plan.budget_limit_usd_micro,
          deadline: '2030-01-01T00:00:00.000Z',
          predicates: 0,
          timeout_s: 86_400,
        },
      },
    );
  }

  async schedule(planId: string, stepId: string, attempt: number): Promise<string> {
    const id = executionId(planId, stepId, attempt);
    const { data } = {
      data: {
        execution_id: id,
        step_id: stepId,
        attempt,
        processor: 'test/copy@1',
        adapter: 'mock',
        not_before: '2026-11-22T08:00:00.000Z',
      },
    } as const;
    await this.append(
      planId,
      { kind: 'budget.reserved', data: { execution_id: id, usd_micro: 20 } },
      { kind: 'execution.scheduled', data },
    );
    return id;
  }

  async start(planId: string, id: string): Promise<void> {
    const table = await this.put('/artifacts/inputs/table.csv', encoded('a,b'));
    await this.append(planId, {
      kind: 'execution.started',
      data: {
        execution_id: id,
        worker: 'w1',
        session: 'w1',
        deadline: '2030-01-01T00:00:00.000Z',
        params_cid: cidOf('{}'),
        inputs: { table: { path: table.path, cid: table.cid } },
      },
    });
  }

  async fail(planId: string, id: string, message = 'it broke'): Promise<void> {
    const data = { execution_id: id, code: 'ERR_EXIT', message, retryable: true, duration_ms: 30, exit_code: 1 };
    await this.append(planId, { kind: 'execution.failed', data });
  }

  async succeed(planId: string, stepId: string, id: string): Promise<void> {
    const output = await this.put(`${outputPrefix(planId, stepId)}out.json`, encoded({ planId, stepId }));
    await this.append(
      planId,
      { kind: 'artifact.written', data: { ...output, content_type: 'application/json', execution_id: id } },
      {
        kind: 'execution.succeeded',
        data: {
          execution_id: id,
          duration_ms: 40,
          environment: { ...ENVIRONMENT, present_env_keys: ['PATH'], versions: { node: '20' } },
        },
      },
    );
  }

  async settleExecution(planId: string, id: string): Promise<void> {
    const receipt = await this.put(`${executionFolder(planId, id)}determinism.json`, encoded({ id }));
    await this.append(
      planId,
      { kind: 'artifact.written', data: { ...receipt, content_type: 'application/json', execution_id: id } },
      { kind: 'budget.settled', data: { execution_id: id, reserved_usd_micro: 20, actual_usd_micro: 11 } },
      {
        kind: 'execution.settled',
        data: {
          execution_id: id,
          receipt_path: receipt.path,
          receipt_cid: receipt.cid,
          memo_key: cidOf('memo'),
          receipt_stored: true,
        },
      },
    );
  }

  /** Returns the stream sequence of its last commit. */
  settle(planId: string, spent: number): Promise<number> {
    return this.append(planId, {
      kind: 'plan.settled',
      data: { status: 'succeeded', spent_usd_micro: spent, faults: [] },
    });
  }

  /** A plan of two steps from its submission to its end; the first step fails once. */
  async wholeLife(planId: string): Promise<number> {
    await this.submit(planId, ['first', 'second']);
    const failed = await this.schedule(planId, 'first', 1);
    await this.start(planId, failed);
    await this.fail(planId, failed);
    await this.settleExecution(planId, failed);
    for (const [stepId, attempt] of [
      ['first', 2],
      ['second', 1],
    ] as const) {
      const id = await this.schedule(planId, stepId, attempt);
      await this.start(planId, id);
      await this.succeed(planId, stepId, id);
      await this.settleExecution(planId, id);
    }
    return this.settle(planId, 33);
  }
}
