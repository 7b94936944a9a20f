import { canonicalText } from '../../shared/hash/canonical.ts';
import { executionFolder } from '../../shared/ids/ids.ts';
import { EMPTY_HEAD, headOf, seal } from '../../shared/ledger/chain.ts';
import type { Draft, Environment, LedgerEvent, LedgerWriter } from '../../shared/ledger/events.ts';
import { fold } from '../../shared/ledger/evolve.ts';

export const START_MS = Date.parse('2026-11-22T08:00:00.000Z');

const cid = (digit: string): string => `blake3:${digit.repeat(64)}`;

const environment: Environment = {
  adapter: 'mock',
  image: 'isomorph/demo_flaky:1',
  image_digest: '',
  cpu: 1,
  memory_gb: 1,
  timeout_s: 60,
  region: 'here',
  present_env_keys: [],
  versions: {},
};

/** `<plan_id>.<step_id>.<attempt>` begins with its plan. */
const receiptPath = (id: string): string => `${executionFolder(id.split('.')[0] ?? '', id)}determinism.json`;

const writtenReceipt = (execution_id: string, digit: string): Draft => ({
  kind: 'artifact.written',
  data: {
    path: receiptPath(execution_id),
    cid: cid(digit),
    sha256: digit.repeat(64),
    size: 700,
    content_type: 'application/json',
    execution_id,
  },
});

const receipt = (execution_id: string, digit: string): Draft => ({
  kind: 'execution.settled',
  data: {
    execution_id,
    receipt_path: receiptPath(execution_id),
    receipt_cid: cid(digit),
    memo_key: cid('e'),
    receipt_stored: true,
  },
});

/** One commit: who wrote it, how long after the start, what. */
export interface Commit {
  readonly by: LedgerWriter;
  readonly atMs: number;
  readonly drafts: readonly Draft[];
}

const admission = (planId: string): Commit => ({
  by: 'admission',
  atMs: 0,
  drafts: [
    {
      kind: 'plan.submitted',
      data: {
        plan_path: `/artifacts/plans/${planId}/plan.json`,
        plan_cid: cid('1'),
        bytes: 2199,
        principal: 'anonymous',
        command_seq: 1,
      },
    },
    {
      kind: 'plan.admitted',
      data: {
        admitted_path: `/artifacts/plans/${planId}/admitted.json`,
        admitted_cid: cid('2'),
        policy: 'default',
        steps: 1,
        budget_limit_usd_micro: 50_000,
        deadline: '2026-11-23T08:00:00.000Z',
        predicates: 2,
        timeout_s: 86_400,
      },
    },
  ],
});

const attempt = (planId: string, number: number, atMs: number, waitMs: number): Commit[] => {
  const execution_id = `${planId}.flaky.${number}`;
  const scheduled: Draft = {
    kind: 'execution.scheduled',
    data: {
      execution_id,
      step_id: 'flaky',
      attempt: number,
      processor: 'demo/flaky@1',
      adapter: 'mock',
      not_before: new Date(START_MS + atMs + waitMs).toISOString(),
    },
  };
  const started: Draft = {
    kind: 'execution.started',
    data: {
      execution_id,
      worker: 'w',
      session: 'w',
      deadline: '2026-11-22T09:00:00.000Z',
      params_cid: cid('3'),
      inputs: {},
    },
  };
  return [
    {
      by: 'dispatcher',
      atMs,
      drafts: [{ kind: 'budget.reserved', data: { execution_id, usd_micro: 310 } }, scheduled],
    },
    { by: 'dispatcher', atMs: atMs + waitMs + 20, drafts: [started] },
  ];
};

const settlement = (execution_id: string, atMs: number, digit: string): Commit => ({
  by: 'settler',
  atMs,
  drafts: [
    writtenReceipt(execution_id, digit),
    { kind: 'budget.settled', data: { execution_id, reserved_usd_micro: 310, actual_usd_micro: 12 } },
    receipt(execution_id, digit),
  ],
});

/** A plan of one step that fails once, is tried again and succeeds: every event is legal. */
export const commitsOf = (planId: string): Commit[] => [
  admission(planId),
  ...attempt(planId, 1, 10, 0),
  {
    by: 'dispatcher',
    atMs: 250,
    drafts: [
      {
        kind: 'execution.failed',
        data: {
          execution_id: `${planId}.flaky.1`,
          code: 'ERR_EXIT',
          message: 'fails on purpose\u001b[31m',
          retryable: true,
          duration_ms: 200,
          exit_code: 75,
          log_tail: 'first line\nsecond line',
          environment,
        },
      },
    ],
  },
  settlement(`${planId}.flaky.1`, 260, '4'),
  ...attempt(planId, 2, 270, 190),
  {
    by: 'dispatcher',
    atMs: 900,
    drafts: [
      {
        kind: 'artifact.written',
        data: {
          path: `/artifacts/outputs/${planId}/flaky/note.json`,
          cid: cid('5'),
          sha256: '5'.repeat(64),
          size: 107,
          content_type: 'application/json',
          execution_id: `${planId}.flaky.2`,
        },
      },
      { kind: 'execution.succeeded', data: { execution_id: `${planId}.flaky.2`, duration_ms: 378, environment } },
    ],
  },
  settlement(`${planId}.flaky.2`, 910, '6'),
  {
    by: 'settler',
    atMs: 1_840,
    drafts: [
      {
        kind: 'predicate.checked',
        data: { pointer: '/predicates/0', predicate: 'artifact.exists@1', ok: true, found: 'x' },
      },
      {
        kind: 'predicate.checked',
        data: { pointer: '/predicates/1', predicate: 'artifact.exists@1', ok: true, found: 'x' },
      },
      { kind: 'plan.settled', data: { status: 'succeeded', spent_usd_micro: 24, faults: [] } },
    ],
  },
];

/** The commits as chained events. */
export function sealAll(planId: string, commits: readonly Commit[]): LedgerEvent[][] {
  let head = EMPTY_HEAD;
  return commits.map(({ by, atMs, drafts }) => {
    const events = seal(head, drafts, { planId, by, nowMs: START_MS + atMs });
    const last = events.at(-1);
    if (last !== undefined) head = headOf(last);
    return events;
  });
}

/** The lines of an export of {@link commitsOf}. */
export function linesOf(planId: string): string[] {
  const events = sealAll(planId, commitsOf(planId)).flat();
  // A fixture that is itself illegal would prove nothing.
  fold(planId, events);
  return events.map((event) => canonicalText(event));
}
