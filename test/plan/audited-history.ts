/** A history of two steps that is as its plan was admitted, to be told otherwise in one place. */
import { canonicalBytes, canonicalText } from '../../shared/hash/canonical.ts';
import { cidOf } from '../../shared/hash/cid.ts';
import { outputPrefix } from '../../shared/ids/ids.ts';
import type { Draft, LedgerWriter } from '../../shared/ledger/events.ts';
import { type Finding, type Told, Verifier } from '../../shared/ledger/verify.ts';
import type { AdmittedPlan } from '../../shared/plan/admitted.ts';
import { audit } from '../../shared/plan/audit.ts';
import { chained, type Deed } from '../ledger/histories.ts';
import {
  admitted,
  checked,
  failed,
  scheduled,
  settled,
  settledExecution,
  started,
  submitted,
  succeeded,
  written,
} from '../ledger/plan-history.ts';
import { planOf, step } from './admitted-plan.ts';

export const by = (writer: LedgerWriter, ...drafts: readonly Draft[]): Deed[] =>
  drafts.map((draft) => ({ by: writer, draft }));

/** A draft with other data in it. */
export const other = (draft: Draft | undefined, data: object): Draft =>
  ({ ...draft, data: { ...draft?.data, ...data } }) as Draft;

const TABLE = '/artifacts/inputs/table.csv';
const NOTE = `${outputPrefix('plan', 'fetch')}out.json`;

/** `fetch` may be tried twice; `draw` needs it and reads what it wrote, and is read-only: nothing is reserved. */
export const PLAN: AdmittedPlan = planOf(
  [
    step('fetch', {
      inputs: { table: TABLE },
      params: { rows: 3 },
      retry: { max_attempts: 2, backoff_s: 1, backoff_factor: 2 },
    }),
    step('draw', { processor: 'test/reader@1', needs: ['fetch'], inputs: { note: NOTE } }),
  ],
  {
    predicates: [
      { pointer: '/predicates/0', call: { use: 'artifact.exists@1' } },
      { pointer: '/predicates/1', call: { use: 'artifact.exists@1' } },
    ],
  },
);

const paramsOf = (params: object): string => cidOf(canonicalBytes(params));

export const startOf = (id: string): Draft =>
  id.startsWith('plan.fetch')
    ? other(started(id), { params_cid: paramsOf({ rows: 3 }), inputs: { table: { path: TABLE, cid: cidOf('a,b') } } })
    : other(started(id), { params_cid: paramsOf({}), inputs: { note: { path: NOTE, cid: cidOf('note') } } });

export const scheduleOf = (stepId: string, attempt: number): Draft[] =>
  stepId === 'fetch'
    ? scheduled('plan', stepId, attempt, 400)
    : scheduled('plan', stepId, attempt, 0).map((draft) => other(draft, { processor: 'test/reader@1' }));

export const writtenBy = (stepId: string, attempt: number, name = 'out.json'): Draft =>
  written('plan', stepId, name, `plan.${stepId}.${attempt}`, stepId === 'fetch' ? 'note' : 'drawn');

export const ADMISSION = by('admission', submitted('plan'), admitted('plan', 10_000, { steps: 2, predicates: 2 }));

/** An attempt that fails after 1 s, which costs 100 + 10, and may be tried again. */
export const failedAttempt = (attempt: number): Deed[] => [
  ...by(
    'dispatcher',
    ...scheduleOf('fetch', attempt),
    startOf(`plan.fetch.${attempt}`),
    failed(`plan.fetch.${attempt}`, 1_000),
  ),
  ...by('settler', ...settledExecution('plan', `plan.fetch.${attempt}`, 400, 110)),
];

export const doneAttempt = (stepId: string, attempt: number): Deed[] => {
  const id = `plan.${stepId}.${attempt}`;
  const [reserve, cost] = stepId === 'fetch' ? [400, 110] : [0, 0];
  return [
    ...by('dispatcher', ...scheduleOf(stepId, attempt), startOf(id), writtenBy(stepId, attempt), succeeded(id, 1_000)),
    ...by('settler', ...settledExecution('plan', id, reserve, cost)),
  ];
};

export const ENDED: readonly Deed[] = [
  ...ADMISSION,
  ...failedAttempt(1),
  ...doneAttempt('fetch', 2),
  ...doneAttempt('draw', 1),
  ...by('settler', checked(0, true), checked(1, true), settled('succeeded', 220)),
];

export interface Found {
  /** By the chain alone. */
  readonly chain: readonly Finding[];
  /** With the admitted document. */
  readonly document: readonly Finding[];
}

/** What is found of a history that links and hashes, and by which of the two. */
export function foundIn(deeds: readonly Deed[], plan: AdmittedPlan = PLAN): Found {
  const history: Told[] = [];
  const verifier = new Verifier((told) => history.push(told));
  for (const event of chained('plan', deeds)) verifier.line(canonicalText(event), `line ${event.seq}`);
  return { chain: verifier.verdict().findings, document: audit(plan, history) };
}

// Where a rule is broken: the first attempt of `fetch`, as far as it has come.

export const ID = 'plan.fetch.1';
export const [RECEIPT, BUDGET, SETTLED] = settledExecution('plan', ID, 400, 110) as [Draft, Draft, Draft];
export const SCHEDULED = [...ADMISSION, ...by('dispatcher', ...scheduleOf('fetch', 1))];
export const STARTED = [...SCHEDULED, ...by('dispatcher', startOf(ID))];
export const FAILED = [...STARTED, ...by('dispatcher', failed(ID, 1_000, { retryable: false }))];
export const DONE = [...ADMISSION, ...doneAttempt('fetch', 1), ...doneAttempt('draw', 1)];
export const [RESERVE, SCHEDULE] = scheduleOf('fetch', 1) as [Draft, Draft];
export const schedule = (stepId: string): Deed[] => by('dispatcher', ...scheduleOf(stepId, 1));
