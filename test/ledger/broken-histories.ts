import { cidOf } from '../../shared/hash/cid.ts';
import type { Draft, LedgerWriter } from '../../shared/ledger/events.ts';
import type { Deed } from './histories.ts';
import {
  admitted,
  cancelRequested,
  checked,
  fact,
  failed,
  lost,
  rejected,
  scheduled,
  settled,
  settledExecution,
  started,
  submitted,
  succeeded,
  written,
} from './plan-history.ts';

export const ID = 'plan.fetch.1';

export const by = (writer: LedgerWriter, ...drafts: readonly Draft[]): Deed[] =>
  drafts.map((draft) => ({ by: writer, draft }));

export const ADMITTED = by('admission', submitted('plan'), admitted('plan', 1_000, { steps: 1, predicates: 1 }));
const SCHEDULED = [...ADMITTED, ...by('dispatcher', ...scheduled('plan', 'fetch', 1, 100))];
export const STARTED = [...SCHEDULED, ...by('dispatcher', started(ID))];
export const SUCCEEDED = [...STARTED, ...by('dispatcher', written('plan', 'fetch', 'a', ID), succeeded(ID, 5))];
export const FAILED = [...STARTED, ...by('dispatcher', failed(ID, 5, { retryable: false }))];
export const settledAfter = (deeds: readonly Deed[]): Deed[] => [
  ...deeds,
  ...by('settler', ...settledExecution('plan', ID, 100, 40)),
];
export const CHECKED = [...settledAfter(SUCCEEDED), ...by('settler', checked(0, true))];
const again = (attempt: number): Deed[] => by('dispatcher', ...scheduled('plan', 'fetch', attempt, 0));
export const [RECEIPT, BUDGET, SETTLED] = settledExecution('plan', ID, 100, 40) as [Draft, Draft, Draft];
export const other = (draft: Draft, data: object): Draft => ({ ...draft, data: { ...draft.data, ...data } }) as Draft;

export const admittedInVersion1 = withoutNewFields(admitted('plan', 1_000, { steps: 1 }));
const OUTPUT_PATH = (written('plan', 'fetch', 'a', ID).data as { readonly path: string }).path;
const startedWith = (id: string, inputs: object): Draft => other(started(id), { inputs });

function withoutNewFields({ kind, data }: Draft): Draft {
  const { predicates: _, timeout_s: __, ...old } = data as Readonly<Record<string, unknown>>;
  return { kind, data: old } as Draft;
}

/** Given a history, when a deed follows, then this is said of it: one a rule, by its name. */
export const BROKEN: Readonly<Record<string, readonly [given: readonly Deed[], when: readonly Deed[], then: RegExp]>> =
  {
    anotherCommand: [
      by('admission', submitted('plan', 3), rejected('no'), submitted('plan', 5), rejected('no')),
      by('admission', submitted('plan', 3)),
      /command 3 was rejected already/,
    ],
    bySomebody: [[], by('admission', other(submitted('plan'), { principal: '_' })), /the principal _ is nobody/],
    commandKnown: [[], by('admission', submitted('plan', 0)), /command 0 never was/],
    ownDocument: [
      [],
      by('admission', other(submitted('plan'), { plan_path: '/artifacts/plans/other/plan.json' })),
      /is not in \/artifacts\/plans\/plan\//,
    ],
    ownAdmittedDocument: [
      by('admission', submitted('plan')),
      by('admission', admitted('plan', 1, { admitted_path: '/artifacts/plans/other/admitted.json' })),
      /is not in \/artifacts\/plans\/plan\//,
    ],
    someStep: [
      by('admission', submitted('plan')),
      by('admission', admitted('plan', 1_000, { steps: 0, predicates: 0 })),
      /it has no step/,
    ],
    noOlderThanItsSubmission: [
      by('admission', submitted('plan', 3)),
      [{ by: 'admission', draft: admittedInVersion1, v: 1 }],
      /its submission is of a later version/,
    ],
    cancelledOnce: [
      [...ADMITTED, ...by('admission', cancelRequested('client'))],
      by('dispatcher', cancelRequested('deadline')),
      /being cancelled for the reason "client"/,
    ],
    reasonOfItsWriter: [ADMITTED, by('admission', cancelRequested('deadline')), /admission does not cancel/],
    notCancelled: [[...ADMITTED, ...by('admission', cancelRequested('client'))], again(1), /being cancelled/],
    nothingHeld: [
      settledAfter(SUCCEEDED).slice(0, 4),
      by('settler', settled('failed', 0)),
      /100 micro-dollars are still held/,
    ],
    everyExecutionSettled: [[...ADMITTED, ...again(1)], by('settler', settled('failed', 0)), /fetch\.1 is not settled/],
    everyReserveUsed: [
      [...ADMITTED, ...by('dispatcher', { kind: 'budget.reserved', data: { execution_id: ID, usd_micro: 0 } })],
      by('settler', settled('failed', 0)),
      /fetch\.1 was reserved and never scheduled/,
    ],
    noMoreStepsThanAdmitted: [
      settledAfter(SUCCEEDED),
      by('dispatcher', ...scheduled('plan', 'draw', 1, 0)),
      /the plan has 1 step$/,
    ],
    spentAsCounted: [settledAfter(FAILED), by('settler', settled('failed', 41)), /the plan spent 40/],
    successOfEveryStep: [settledAfter(FAILED), by('settler', settled('succeeded', 40)), /0 of 1 steps succeeded/],
    successOfEveryPredicate: [
      settledAfter(SUCCEEDED),
      by('settler', settled('succeeded', 40)),
      /0 of 1 predicates were checked/,
    ],
    successWithoutFaults: [
      [...CHECKED],
      by('settler', other(settled('succeeded', 40), { faults: [{ code: 'ERR_EXIT', message: 'it exited with 1' }] })),
      /it succeeded with the fault ERR_EXIT/,
    ],
    failedForAReason: [CHECKED, by('settler', settled('failed', 40)), /every step succeeded, and no predicate fails/],
    cancelledBeforeItsEnd: [
      [...settledAfter(SUCCEEDED), ...by('admission', cancelRequested('client'))],
      by('settler', settled('cancelled', 40)),
      /every step succeeded/,
    ],
    cancelledByAClient: [settledAfter(FAILED), by('settler', settled('cancelled', 40)), /no client cancelled it/],
    nextAttemptReserved: [
      ADMITTED,
      by('dispatcher', { kind: 'budget.reserved', data: { execution_id: 'other.fetch.1', usd_micro: 1 } }),
      /other\.fetch\.1 is not the next attempt of a step of plan/,
    ],
    reservedOnce: [SCHEDULED, SCHEDULED.slice(2, 3), /already reserved/],
    withinTheLimit: [ADMITTED, by('dispatcher', ...scheduled('plan', 'fetch', 1, 1_001)), /exceeds 1000/],
    budgetSettledOnce: [settledAfter(SUCCEEDED), by('settler', BUDGET), /already settled/],
    reservedAsTold: [SUCCEEDED, by('settler', other(BUDGET, { reserved_usd_micro: 99 })), /it reserved 100/],
    freeIfNeverStarted: [
      [...SCHEDULED, ...by('dispatcher', failed(ID, 0, { retryable: false }))],
      by('settler', BUDGET),
      /it never started, and cost 40/,
    ],
    noMoreThanReserved: [SUCCEEDED, by('settler', other(BUDGET, { actual_usd_micro: 101 })), /more than it reserved/],
    known: [ADMITTED, by('dispatcher', started(ID)), /no execution plan\.fetch\.1/],
    ownId: [
      ADMITTED,
      again(1).map(({ draft }) => ({ by: 'dispatcher', draft: other(draft, { execution_id: 'other.fetch.1' }) })),
      /other\.fetch\.1 should be plan\.fetch\.1/,
    ],
    nextAttempt: [ADMITTED, again(2), /attempt 2 follows 0/],
    afterARetryableEnd: [SUCCEEDED, again(2), /plan\.fetch\.1 succeeded/],
    inputsAsNamed: [
      [
        ...by('admission', submitted('plan'), admitted('plan', 1_000, { steps: 2, predicates: 0 })),
        ...SUCCEEDED.slice(2),
        ...by('dispatcher', ...scheduled('plan', 'draw', 1, 0)),
      ],
      by('dispatcher', startedWith('plan.draw.1', { a: { path: OUTPUT_PATH, cid: cidOf('other bytes') } })),
      /input a is blake3:\w+, not what was written/,
    ],
    notStarted: [STARTED, by('dispatcher', started(ID)), /already started/],
    hasStarted: [SCHEDULED, by('dispatcher', succeeded(ID, 1)), /it has not started/],
    notEnded: [FAILED, by('dispatcher', lost(ID, 1)), /already ended as failed/],
    hasEnded: [STARTED, by('settler', BUDGET), /it has not ended/],
    afterItsBudget: [[...SUCCEEDED, ...by('settler', RECEIPT)], by('settler', SETTLED), /its budget is not settled/],
    settledOnce: [settledAfter(SUCCEEDED), by('settler', SETTLED), /already settled/],
    receiptWritten: [
      [...SUCCEEDED, ...by('settler', RECEIPT, BUDGET)],
      by('settler', other(SETTLED, { receipt_cid: cidOf('never written') })),
      /no receipt blake3:\w+ was written/,
    ],
    receiptOwed: [
      [...SUCCEEDED, ...by('settler', BUDGET)],
      by('settler', other(SETTLED, { receipt_stored: false })),
      /its receipt is not stored, and the plan did not have to end/,
    ],
    canonicalPath: [
      STARTED,
      by('dispatcher', other(written('plan', 'fetch', 'a', ID), { path: `${OUTPUT_PATH}/../b` })),
      /is not in canonical form/,
    ],
    inNoOtherPlansFolder: [
      STARTED,
      by('dispatcher', other(written('plan', 'fetch', 'a', ID), { path: '/artifacts/outputs/other/fetch/a' })),
      /outputs\/other\/fetch\/a is of the plan other/,
    ],
    ofAnExecution: [ADMITTED, by('dispatcher', written('plan', 'fetch', 'a', ID)), /no execution plan\.fetch\.1/],
    immutable: [
      [...STARTED, ...by('dispatcher', written('plan', 'fetch', 'a', ID, 'one'))],
      by('dispatcher', written('plan', 'fetch', 'a', ID, 'two')),
      /immutable/,
    ],
    afterEveryStep: [settledAfter(FAILED), by('settler', checked(0, true)), /0 of 1 steps succeeded/],
    noMoreThanAdmitted: [CHECKED, by('settler', checked(1, true)), /the plan has 1 predicate$/],
    checkedOnce: [
      [
        ...by('admission', submitted('plan'), admitted('plan', 1_000, { steps: 1, predicates: 2 })),
        ...CHECKED.slice(2),
      ],
      by('settler', checked(0, true)),
      /was checked already/,
    ],
    recordedOnce: [[...ADMITTED, ...by('sampler', fact(0))], by('sampler', fact(0)), /fact f0 is already recorded/],
  };

const reserved = (id: string): Draft => ({ kind: 'budget.reserved', data: { execution_id: id, usd_micro: 1 } });
const LATER = by('dispatcher', written('plan', 'fetch', 'later', ID));

/** The other ways to break rules that can be broken in several. */
export const BROKEN_OTHERWISE: readonly (readonly [given: readonly Deed[], when: readonly Deed[], then: RegExp])[] = [
  [ADMITTED, by('dispatcher', reserved('plan.fetch.2')), /plan\.fetch\.2 is not the next attempt/],
  [ADMITTED, by('dispatcher', reserved('plan.fetch.1.1')), /plan\.fetch\.1\.1 is not the next attempt/],
  [
    [],
    by('admission', other(submitted('plan'), { plan_path: '/artifacts/plans/plan/plan-0123456789abcdef.json' })),
    /plan-0123456789abcdef\.json is not named after blake3:/,
  ],
  [
    CHECKED,
    by('settler', other(settled('succeeded', 40), { faults: [{ code: 'ERR_UNAVAILABLE', message: 'no receipt' }] })),
    /it succeeded with 1 fault, and 0 receipts not stored/,
  ],
  [settledAfter(SUCCEEDED), by('settler', settled('failed', 40)), /every step succeeded, and no predicate fails/],
  ...['executions', 'plans', 'metrics'].map((folder): [readonly Deed[], readonly Deed[], RegExp] => [
    STARTED,
    by('dispatcher', other(written('plan', 'fetch', 'a', ID), { path: `/artifacts/${folder}/other/a` })),
    new RegExp(`${folder}/other/a is of the plan other`),
  ]),
  [STARTED, again(2), /plan\.fetch\.1 has not ended/],
  [FAILED, again(2), /plan\.fetch\.1 failed for good/],
  [SCHEDULED, LATER, /plan\.fetch\.1 has not started/],
  [SUCCEEDED, LATER, /plan\.fetch\.1 has already ended as succeeded/],
  [settledAfter(SUCCEEDED), LATER, /plan\.fetch\.1 is settled/],
  [STARTED, by('settler', RECEIPT), /plan\.fetch\.1 has not ended/],
  [
    [...settledAfter(SUCCEEDED), ...by('settler', checked(0, false))],
    by('settler', settled('succeeded', 40)),
    /predicate \/predicates\/0 does not hold/,
  ],
];
