import * as assert from 'uvu/assert';
import { changesOf } from '../../services/projector/changes.ts';
import { cidOf } from '../../shared/hash/cid.ts';
import { EMPTY_HEAD } from '../../shared/ledger/chain.ts';
import type { Draft } from '../../shared/ledger/events.ts';
import { fold } from '../../shared/ledger/evolve.ts';
import { knownReading } from '../../shared/ledger/reading.ts';
import type { PlanState } from '../../shared/ledger/state.ts';
import { rowsOf as rowsOfReading } from '../../shared/projection/rows.ts';
import { encodeCell, instant, jsonbText, TABLE_NAMES } from '../../shared/projection/tables.ts';
import { suite } from '../harness/suite.ts';
import { sealedByWriters } from '../ledger/plan-history.ts';
import { admittedPlan } from './ledger-fixture.ts';

const test = suite('projection rows');

const NOW_MS = Date.parse('2026-11-22T08:00:00.000Z');

const SUBMIT: Draft = {
  kind: 'plan.submitted',
  data: {
    plan_path: '/artifacts/plans/p/plan.json',
    plan_cid: cidOf('plan'),
    bytes: 4,
    principal: 'anonymous',
    command_seq: 1,
  },
};
const admit = (limit: number): Draft => ({
  kind: 'plan.admitted',
  data: {
    admitted_path: '/artifacts/plans/p/admitted.json',
    admitted_cid: cidOf('admitted'),
    policy: 'default',
    steps: 3,
    budget_limit_usd_micro: limit,
    deadline: '2026-11-23T08:00:00.000Z',
    predicates: 0,
    timeout_s: 86_400,
  },
});
const schedule = (stepId: string, attempt: number): Draft[] => [
  { kind: 'budget.reserved', data: { execution_id: `p.${stepId}.${attempt}`, usd_micro: 20 } },
  {
    kind: 'execution.scheduled',
    data: {
      execution_id: `p.${stepId}.${attempt}`,
      step_id: stepId,
      attempt,
      processor: 'test/copy@1',
      adapter: 'mock',
      not_before: '2026-11-22T08:00:00.000Z',
    },
  },
];
const start = (id: string): Draft => ({
  kind: 'execution.started',
  data: {
    execution_id: id,
    worker: 'w',
    session: 'w',
    deadline: '2026-11-22T09:00:00.000Z',
    params_cid: cidOf('{}'),
    inputs: {},
  },
});
const fail = (id: string, retryable: boolean): Draft => ({
  kind: 'execution.failed',
  data: { execution_id: id, code: 'ERR_EXIT', message: 'broke', retryable, duration_ms: 5 },
});
const lose = (id: string): Draft => ({
  kind: 'execution.lost',
  data: { execution_id: id, reason: 'its runtime vanished', duration_ms: 5 },
});
const settleBudget = (id: string): Draft => ({
  kind: 'budget.settled',
  data: { execution_id: id, reserved_usd_micro: 20, actual_usd_micro: 7 },
});
const settleExecution = (id: string): Draft => ({
  kind: 'execution.settled',
  data: {
    execution_id: id,
    receipt_path: `/artifacts/executions/p/${id}/determinism.json`,
    receipt_cid: cidOf(id),
    memo_key: cidOf('memo'),
    receipt_stored: true,
  },
});
const end = (status: 'succeeded' | 'failed' | 'cancelled', spent = 0): Draft => ({
  kind: 'plan.settled',
  data: { status, spent_usd_micro: spent, faults: [{ code: 'ERR_BUDGET_EXHAUSTED', message: 'spent' }] },
});

/** A receipt is written before it is named. */
function withItsReceipt(draft: Draft): Draft[] {
  if (draft.kind !== 'execution.settled') return [draft];
  const { execution_id, receipt_path: path, receipt_cid } = draft.data;
  const about = { cid: receipt_cid, sha256: 'ab'.repeat(32), size: 7, content_type: 'application/json' };
  return [{ kind: 'artifact.written', data: { path, ...about, execution_id } }, draft];
}

const stateOf = (...drafts: Draft[]): PlanState =>
  fold('p', sealedByWriters('p', EMPTY_HEAD, drafts.flatMap(withItsReceipt), NOW_MS));

const PLAN = admittedPlan('p', ['a', 'b', 'c']);

const rowsOf = (state: PlanState, plan: typeof PLAN | undefined) => rowsOfReading(knownReading(state), plan);

const statuses = (state: PlanState) => {
  const rows = rowsOf(state, PLAN);
  return [rows.plans[0]?.status, ...rows.steps.map(({ status }) => status)];
};

test('says in one word where a plan and each of its steps stand', () => {
  const admitted = [SUBMIT, admit(1000)];
  const scheduled = [...admitted, ...schedule('a', 1)];
  const cancel: Draft = { kind: 'plan.cancel_requested', data: { reason: 'client' } };
  assert.is(rowsOf(stateOf(SUBMIT), undefined).plans[0]?.status, 'submitted');
  assert.equal(statuses(stateOf(...admitted)), ['running', 'ready', 'waiting', 'waiting']);
  assert.equal(statuses(stateOf(...scheduled)), ['running', 'scheduled', 'waiting', 'waiting']);
  assert.equal(statuses(stateOf(...scheduled, start('p.a.1'))), ['running', 'running', 'waiting', 'waiting']);
  assert.equal(statuses(stateOf(...scheduled, fail('p.a.1', true))), ['running', 'ready', 'waiting', 'waiting']);
  assert.equal(statuses(stateOf(...scheduled, fail('p.a.1', false))), ['running', 'failed', 'skipped', 'skipped']);
  assert.equal(statuses(stateOf(...scheduled, cancel)), ['cancelling', 'scheduled', 'skipped', 'skipped']);
  const ended = [...scheduled, start('p.a.1'), lose('p.a.1'), settleBudget('p.a.1'), settleExecution('p.a.1')];
  assert.equal(statuses(stateOf(...ended, cancel, end('cancelled', 7))), [
    'cancelled',
    'skipped',
    'skipped',
    'skipped',
  ]);
});

test('a step that its budget cannot pay is skipped once the plan has ended', () => {
  const state = stateOf(SUBMIT, admit(5));
  assert.equal(statuses(state), ['running', 'ready', 'waiting', 'waiting']);
  assert.equal(statuses(stateOf(SUBMIT, admit(5), end('failed'))), ['failed', 'skipped', 'skipped', 'skipped']);
  assert.is(rowsOf(stateOf(SUBMIT, admit(5), end('failed')), PLAN).steps[0]?.not_before, null);
});

test('a ready step says when it may start: after its backoff', () => {
  const [row] = rowsOf(stateOf(SUBMIT, admit(1000), ...schedule('a', 1), fail('p.a.1', true)), PLAN).steps;
  assert.equal([row?.attempts, row?.execution_id, row?.not_before], [1, 'p.a.1', '2026-11-22T08:00:01.000Z']);
});

test('executions tell how they ended and what they cost', () => {
  const state = stateOf(
    SUBMIT,
    admit(1000),
    ...schedule('a', 1),
    start('p.a.1'),
    lose('p.a.1'),
    settleBudget('p.a.1'),
    ...schedule('a', 2),
  );
  const { executions, budgets } = rowsOf(state, undefined);
  assert.equal(
    executions.map(({ execution_id, status, code, message, reserved_usd_micro, actual_usd_micro }) => [
      execution_id,
      status,
      code,
      message,
      reserved_usd_micro,
      actual_usd_micro,
    ]),
    [
      ['p.a.1', 'lost', 'ERR_EXECUTION_LOST', 'its runtime vanished', 20, 7],
      ['p.a.2', 'scheduled', null, null, 20, null],
    ],
  );
  assert.equal(budgets, [{ plan_id: 'p', limit_usd_micro: 1000, held_usd_micro: 20, spent_usd_micro: 7 }]);
});

test('a rejected plan has its faults and neither budget nor steps', () => {
  const faults = [{ code: 'ERR_CYCLE', message: 'a needs b needs a', pointer: '/steps/0/needs/0' }];
  const rows = rowsOf(stateOf(SUBMIT, { kind: 'plan.rejected', data: { faults, fault_count: 1 } }), undefined);
  assert.equal([rows.plans[0]?.status, rows.plans[0]?.faults], ['rejected', faults]);
  assert.equal([rows.steps, rows.budgets], [[], []]);
});

test('only rows that changed are written: of a plan that goes on, and all when it is not known what is there', () => {
  const before = [SUBMIT, admit(1000), ...schedule('a', 1)];
  const events = sealedByWriters('p', EMPTY_HEAD, [...before, start('p.a.1')], NOW_MS);
  const old = rowsOf(fold('p', events.slice(0, -1)), PLAN);
  const now = rowsOf(fold('p', events), PLAN);
  const changes = changesOf(old, now);
  assert.equal(
    TABLE_NAMES.map((table) => [table, changes[table].length]),
    [
      ['plans', 1],
      ['steps', 1],
      ['executions', 1],
      ['artifacts', 0],
      ['receipts', 0],
      ['budgets', 0],
      ['standings', 0],
    ],
  );
  assert.equal(changesOf(undefined, now), now);
  assert.is(changesOf(now, rowsOf(fold('p', events), PLAN)).steps.length, 0, 'documents that are the same object');
});

test('what Postgres cannot hold is written in a form that it can', () => {
  assert.is(encodeCell('text', 'a\0b'), 'a\ufffdb');
  assert.is(jsonbText('{"a":"\\u0000\\u0000\\\\u0000\\\\\\u0000"}'), '{"a":"\ufffd\ufffd\\\\u0000\\\\\ufffd"}');
  assert.is(instant('2026-11-22T08:00:00.000Z'), '2026-11-22T08:00:00.000Z');
  for (const none of [
    '2026-02-30T00:00:00.000Z',
    '2026-99-99T99:99:99.999Z',
    '0000-01-01T00:00:00.000Z',
    '2026-11-22T24:00:00.000Z',
  ]) {
    assert.is(instant(none), null, none);
  }
});

test.run();
