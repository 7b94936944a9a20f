/** Drafts of every kind with plausible data, and a chain that refuses what is illegal. */

import { cidOf } from '../../shared/hash/cid.ts';
import { executionFolder, executionId, outputPrefix } from '../../shared/ids/ids.ts';
import { EMPTY_HEAD, type Head, headOf, seal } from '../../shared/ledger/chain.ts';
import type {
  Draft,
  DraftData,
  Environment,
  EventData,
  LedgerEvent,
  LedgerWriter,
} from '../../shared/ledger/events.ts';
import { evolve } from '../../shared/ledger/evolve.ts';
import { LEGAL } from '../../shared/ledger/legal.ts';
import { emptyState, type PlanState } from '../../shared/ledger/state.ts';

/** When every history begins. */
export const START_MS = Date.parse('2026-11-22T08:00:00.000Z');

export const ENVIRONMENT: Environment = {
  adapter: 'mock',
  image: 'isomorph.test/probe:1',
  image_digest: cidOf('probe'),
  cpu: 0.25,
  memory_gb: 0.125,
  timeout_s: 30,
  region: 'local',
  present_env_keys: ['TOKEN'],
  versions: { node: '20.20.2', os: 'linux-x64' },
};

export const submitted = (planId: string, commandSeq = 1): Draft => ({
  kind: 'plan.submitted',
  data: {
    plan_path: `/artifacts/plans/${planId}/plan.json`,
    plan_cid: cidOf(`plan ${planId}`),
    bytes: 321,
    principal: 'anonymous',
    command_seq: commandSeq,
  },
});

type Admitted = DraftData<'plan.admitted'>;

export const admitted = (planId: string, limit: number, more: Partial<Admitted> = {}): Draft => ({
  kind: 'plan.admitted',
  data: {
    admitted_path: `/artifacts/plans/${planId}/admitted.json`,
    admitted_cid: cidOf(`admitted ${planId}`),
    policy: 'default',
    steps: 3,
    budget_limit_usd_micro: limit,
    deadline: '2026-11-23T08:00:00.000Z',
    predicates: 2,
    timeout_s: 86_400,
    ...more,
  },
});

export const rejected = (message: string): Draft => ({
  kind: 'plan.rejected',
  data: { faults: [{ code: 'ERR_POLICY', message, pointer: '/steps/0', expected: 'less' }], fault_count: 1 },
});

export const settled = (status: EventData<'plan.settled'>['status'], spent: number): Draft => ({
  kind: 'plan.settled',
  data: { status, spent_usd_micro: spent, faults: [] },
});

export const cancelRequested = (reason: 'client' | 'deadline'): Draft => ({
  kind: 'plan.cancel_requested',
  data: { reason },
});

/** Reserve and schedule; nothing is reserved for 0, as for a processor that is read-only. */
export function scheduled(planId: string, stepId: string, attempt: number, reserve: number): Draft[] {
  const id = executionId(planId, stepId, attempt);
  const draft: Draft = {
    kind: 'execution.scheduled',
    data: {
      execution_id: id,
      step_id: stepId,
      attempt,
      processor: 'test/probe@1',
      adapter: 'mock',
      not_before: '2026-11-22T08:00:01.500Z',
    },
  };
  return reserve === 0 ? [draft] : [{ kind: 'budget.reserved', data: { execution_id: id, usd_micro: reserve } }, draft];
}

export const started = (id: string): Draft => ({
  kind: 'execution.started',
  data: {
    execution_id: id,
    worker: 'dispatcher-1',
    session: 'dispatcher-1',
    deadline: '2026-11-22T08:01:00.000Z',
    params_cid: cidOf('{}'),
    inputs: { table: { path: '/artifacts/inputs/räume.csv', cid: cidOf('a,b') } },
  },
});

export function written(planId: string, stepId: string, name: string, id: string, content = name): Draft {
  const path = `${outputPrefix(planId, stepId)}${name}`;
  const about = {
    cid: cidOf(content),
    sha256: 'ab'.repeat(32),
    size: content.length,
    content_type: 'application/json',
  };
  return { kind: 'artifact.written', data: { path, ...about, execution_id: id } };
}

export const succeeded = (id: string, durationMs: number): Draft => ({
  kind: 'execution.succeeded',
  data: { execution_id: id, duration_ms: durationMs, environment: ENVIRONMENT },
});

export const failed = (id: string, durationMs: number, more: Partial<EventData<'execution.failed'>> = {}): Draft => ({
  kind: 'execution.failed',
  data: {
    execution_id: id,
    code: 'ERR_EXIT',
    message: 'Größe 3 ≠ 4: „Zeile 7“ 🐧',
    retryable: true,
    duration_ms: durationMs,
    exit_code: 1,
    log_tail: 'line one\nline "two"\ttab \\ and \u007f',
    environment: ENVIRONMENT,
    ...more,
  },
});

export const lost = (id: string, durationMs: number | null): Draft => ({
  kind: 'execution.lost',
  data: { execution_id: id, reason: 'its runtime does not know it', duration_ms: durationMs },
});

/** What the settler writes for an ended execution, in one commit. */
export function settledExecution(
  planId: string,
  id: string,
  reserved: number,
  actual: number,
  receiptStored = true,
): Draft[] {
  const path = `${executionFolder(planId, id)}determinism.json`;
  const cid = cidOf(path);
  const receipt = { path, cid, sha256: 'cd'.repeat(32), size: 700, content_type: 'application/json', execution_id: id };
  return [
    ...(receiptStored ? [{ kind: 'artifact.written', data: receipt } as const] : []),
    {
      kind: 'budget.settled',
      data: { execution_id: id, reserved_usd_micro: reserved, actual_usd_micro: actual },
    },
    {
      kind: 'execution.settled',
      data: {
        execution_id: id,
        receipt_path: path,
        receipt_cid: cid,
        memo_key: cidOf(`memo ${id}`),
        receipt_stored: receiptStored,
      },
    },
  ];
}

export const checked = (index: number, ok: boolean): Draft => ({
  kind: 'predicate.checked',
  data: { pointer: `/predicates/${index}`, predicate: 'artifact.exists@1', ok, found: ok ? '12 bytes' : 'nothing' },
});

/** A fact of each kind in turn. */
export function fact(number: number): Draft {
  const about = { fact_id: `f${number}`, topic: 'jobs' };
  const facts: Draft[] = [
    { kind: 'scratch.kv.changed', data: { fact_id: about.fact_id, key: `user/ü${number}`, op: 'incr' } },
    { kind: 'scratch.queue.published', data: { ...about, bytes: 40, approx_size: 3 } },
    { kind: 'scratch.queue.retry', data: { ...about, deliveries: 2, delay_s: 5 } },
    { kind: 'scratch.queue.deadletter', data: { ...about, deliveries: 5, reason: 'expired' } },
    {
      kind: 'scratch.sampled',
      data: { fact_id: about.fact_id, path: '/artifacts/samples/kv.json', cid: cidOf('kv'), dropped: 0 },
    },
    {
      kind: 'streams.sampled',
      data: {
        fact_id: about.fact_id,
        series: 'loss',
        watermark: number,
        every_n: 10,
        chunk_count: 1,
        dropped_chunks: 0,
      },
    },
  ];
  return facts[number % facts.length] ?? checked(number, true);
}

/** A plan's ledger as it grows. Every commit is legal, or {@link append} throws. */
export class Chain {
  readonly commits: LedgerEvent[][] = [];
  readonly planId: string;
  #state: PlanState;
  #nowMs = START_MS;

  constructor(planId: string) {
    this.planId = planId;
    this.#state = emptyState(planId);
  }

  get state(): PlanState {
    return this.#state;
  }

  get events(): LedgerEvent[] {
    return this.commits.flat();
  }

  append(by: LedgerWriter, drafts: readonly Draft[], afterMs = 10): this {
    this.#nowMs += afterMs;
    const head = this.commits.length === 0 ? EMPTY_HEAD : this.#state.head;
    const events = seal(head, drafts, { planId: this.planId, by, nowMs: this.#nowMs });
    this.#state = evolve(this.#state, events);
    this.commits.push(events);
    return this;
  }
}

/** Drafts as one chain, each by a service that may write it. */
export function sealedByWriters(planId: string, from: Head, drafts: readonly Draft[], nowMs: number): LedgerEvent[] {
  const events: LedgerEvent[] = [];
  let head = from;
  for (const draft of drafts) {
    const isReceipt = draft.kind === 'artifact.written' && draft.data.path.endsWith('/determinism.json');
    const by = isReceipt ? 'settler' : (LEGAL[draft.kind].by[0] ?? 'settler');
    events.push(...seal(head, [draft], { planId, by, nowMs }));
    head = headOf(events.at(-1) as LedgerEvent);
  }
  return events;
}

/** A plan that is admitted. */
export const admittedChain = (planId: string, limit = 1_000, more: Partial<Admitted> = {}): Chain =>
  new Chain(planId).append('admission', [submitted(planId), admitted(planId, limit, more)]);
