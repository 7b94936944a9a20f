import * as assert from 'uvu/assert';
import { decideSettle, duePredicates } from '../../services/settler/decide.ts';
import { receiptOf } from '../../services/settler/receipt.ts';
import { cidOf } from '../../shared/hash/cid.ts';
import type { AdmittedPlan } from '../../shared/plan/admitted.ts';
import { MAX_LOST } from '../../shared/plan/steps.ts';
import { suite } from '../harness/suite.ts';
import { dataOf } from '../ledger/given.ts';
import {
  admittedChain,
  type Chain,
  cancelRequested,
  failed,
  lost,
  scheduled,
  settledExecution,
  started,
  succeeded,
} from '../ledger/plan-history.ts';
import { planOf, processor, step } from '../plan/admitted-plan.ts';

const test = suite('what a settled plan says');

const RESERVE = 400;

/** How the plan ends: its status, and each fault as `pointer code: message`. */
function endOf(chain: Chain, plan: AdmittedPlan, found?: string): readonly [string, ...string[]] {
  const results = found === undefined ? [] : [{ ok: false, found }];
  const { drafts } = decideSettle(chain.state, { plan, settling: [], checked: { from: 0, results } });
  const { status, faults } = dataOf(drafts, 'plan.settled');
  return [status, ...faults.map(({ code, message, pointer }) => `${pointer} ${code}: ${message}`)];
}

const ran = (chain: Chain, id: string, attempt: number, end: Parameters<Chain['append']>[1]): Chain =>
  chain
    .append('dispatcher', scheduled('plan', id, attempt, RESERVE))
    .append('dispatcher', [started(`plan.${id}.${attempt}`)])
    .append('dispatcher', end)
    .append('settler', settledExecution('plan', `plan.${id}.${attempt}`, RESERVE, 110));

test('each reason is told with its place and its amounts', () => {
  const broke = ran(admittedChain('plan'), 'train', 1, [
    failed('plan.train.1', 5, { code: 'ERR_TIMEOUT', message: 'too slow', retryable: false }),
  ]);
  assert.equal(endOf(broke, planOf([step('train')])), ['failed', '/steps/train ERR_TIMEOUT: plan.train.1: too slow']);

  const done = ran(admittedChain('plan', 500), 'train', 1, [succeeded('plan.train.1', 5)]);
  assert.equal(endOf(done, planOf([step('train'), step('judge')])), [
    'failed',
    '/steps/judge ERR_BUDGET_EXHAUSTED: 110 of 500 micro-dollars are spent',
  ]);

  const call = { use: 'artifact.exists@1', path: '/artifacts/x' };
  const judged = planOf([step('train')], { predicates: [{ pointer: '/predicates/0', call }] });
  assert.equal(endOf(done, judged, 'nothing there'), [
    'failed',
    '/predicates/0 ERR_PREDICATE: artifact.exists@1: nothing there',
  ]);

  const late = admittedChain('plan').append('dispatcher', [cancelRequested('deadline')]);
  assert.equal(endOf(late, planOf([step('train')])), [
    'failed',
    '/timeout_s ERR_TIMEOUT: the plan did not end before 2026-11-23T08:00:00.000Z',
  ]);
});

test('a step whose executions were lost too often fails with that', () => {
  const chain = admittedChain('plan', 100_000);
  for (let attempt = 1; attempt <= MAX_LOST; attempt++) {
    ran(chain, 'train', attempt, [lost(`plan.train.${attempt}`, 5)]);
  }
  assert.equal(endOf(chain, planOf([step('train')])), [
    'failed',
    `/steps/train ERR_EXECUTION_LOST: plan.train.${MAX_LOST} and those before it were lost`,
  ]);
});

test('a plan that is cancelled halfway is cancelled, although some of it succeeded', () => {
  const call = { use: 'artifact.exists@1', path: '/artifacts/x' };
  const plan = planOf([step('train'), step('judge')], { predicates: [{ pointer: '/predicates/0', call }] });
  const chain = ran(admittedChain('plan'), 'train', 1, [succeeded('plan.train.1', 5)]);
  chain.append('admission', [cancelRequested('client')]);
  assert.equal([endOf(chain, plan), duePredicates(chain.state, plan)], [['cancelled'], []]);
});

test('an execution is settled by what its own step costs, with its receipt named as it was stored', () => {
  const dear = processor({ ref: 'test/dear@1', cost: { usd_micro_fixed: 300, usd_micro_per_s: 1 } });
  const plan = planOf([step('train'), step('judge', { processor: 'test/dear@1', params: { deep: true } })], {
    processors: { 'test/probe@1': processor(), 'test/dear@1': dear },
  });
  const executionId = 'plan.judge.1';
  const chain = admittedChain('plan')
    .append('dispatcher', scheduled('plan', 'judge', 1, 330))
    .append('dispatcher', [started(executionId)])
    .append('dispatcher', [succeeded(executionId, 5_000)]);
  const execution = chain.state.executions.get(executionId);
  if (execution === undefined) throw new Error('it is not there');
  const receipt = receiptOf(chain.state, plan, execution);
  const said = JSON.parse(new TextDecoder().decode(receipt.bytes));
  assert.equal([said.step_id, said.processor, said.params_cid], ['judge', 'test/dear@1', cidOf('{"deep":true}')]);

  const stored = { sha256: 'cd'.repeat(32), size: receipt.bytes.byteLength };
  const { drafts } = decideSettle(chain.state, {
    ...{ plan, settling: [{ executionId, receipt, stored }] },
    checked: { from: 0, results: [] },
  });
  const { path, cid } = receipt;
  assert.equal(dataOf(drafts, 'artifact.written'), {
    path,
    cid,
    ...stored,
    content_type: 'application/json',
    execution_id: executionId,
  });
  assert.equal(dataOf(drafts, 'budget.settled'), {
    execution_id: executionId,
    reserved_usd_micro: 330,
    actual_usd_micro: 305,
  });
});

test('no receipt of what has not ended, or is no step of the plan', () => {
  const chain = admittedChain('plan').append('dispatcher', scheduled('plan', 'train', 1, RESERVE));
  const open = chain.state.executions.get('plan.train.1');
  if (open === undefined) throw new Error('it is not there');
  assert.throws(() => receiptOf(chain.state, planOf([step('train')]), open), 'plan.train.1 has not ended');
  chain.append('dispatcher', [failed('plan.train.1', 5)]);
  const ended = chain.state.executions.get('plan.train.1');
  if (ended === undefined) throw new Error('it is not there');
  assert.throws(() => receiptOf(chain.state, planOf([step('judge')]), ended), 'plan.train.1 has not ended');
});

test.run();
