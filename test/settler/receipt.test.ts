import * as assert from 'uvu/assert';
import { decideSettle } from '../../services/settler/decide.ts';
import { type ReceiptDocument, receiptOf } from '../../services/settler/receipt.ts';
import { canonicalText } from '../../shared/hash/canonical.ts';
import { cidOf } from '../../shared/hash/cid.ts';
import type { Environment, EventData } from '../../shared/ledger/events.ts';
import type { AdmittedStep } from '../../shared/plan/admitted.ts';
import { suite } from '../harness/suite.ts';
import {
  admittedChain,
  type Chain,
  ENVIRONMENT,
  failed,
  lost,
  scheduled,
  started,
  written,
} from '../ledger/plan-history.ts';
import { planOf, step } from '../plan/admitted-plan.ts';
import { withPredicates } from './judged-plan.ts';

const test = suite('determinism receipt');

type Inputs = EventData<'execution.started'>['inputs'];

interface Run {
  readonly stepId?: string;
  readonly attempt?: number;
  readonly environment?: Partial<Environment>;
  readonly inputs?: Inputs;
  readonly step?: Partial<AdmittedStep>;
  readonly worker?: string;
  readonly outputs?: readonly string[];
  readonly durationMs?: number;
}

const input = (content: string, path = `/artifacts/inputs/${content}`) => ({ path, cid: cidOf(content) });

function ranChain({ stepId = 'train', attempt = 1, ...run }: Run): Chain {
  const chain = admittedChain('plan', 10_000);
  for (let earlier = 1; earlier < attempt; earlier++) {
    chain.append('dispatcher', scheduled('plan', stepId, earlier, 0));
    chain.append('dispatcher', [failed(`plan.${stepId}.${earlier}`, 3)]);
  }
  const id = `plan.${stepId}.${attempt}`;
  const begun = started(id) as { kind: 'execution.started'; data: EventData<'execution.started'> };
  const inputs = run.inputs ?? { table: input('a') };
  return chain
    .append('dispatcher', scheduled('plan', stepId, attempt, 400))
    .append('dispatcher', [{ ...begun, data: { ...begun.data, inputs, worker: run.worker ?? 'one' } }])
    .append('dispatcher', [
      ...(run.outputs ?? ['b.json', 'a.json']).map((name) => written('plan', stepId, name, id)),
      {
        kind: 'execution.succeeded',
        data: {
          execution_id: id,
          duration_ms: run.durationMs ?? 50,
          environment: { ...ENVIRONMENT, ...run.environment },
        },
      },
    ]);
}

function receiptOfRun(run: Run = {}): ReceiptDocument & { readonly json: Record<string, unknown> } {
  const { state } = ranChain(run);
  const plan = planOf([step('train', run.step), step('judge', run.step)]);
  const execution = state.executions.get(`plan.${run.stepId ?? 'train'}.${run.attempt ?? 1}`);
  if (execution === undefined) throw new Error('the run is not there');
  const receipt = receiptOf(state, plan, execution);
  return { ...receipt, json: JSON.parse(new TextDecoder().decode(receipt.bytes)) };
}

test('a receipt tells what went in, what came out and where it ran, as canonical JSON at its path', () => {
  const { path, bytes, json, memoKey } = receiptOfRun();
  assert.is(path, '/artifacts/executions/plan/plan.train.1/determinism.json');
  assert.is(new TextDecoder().decode(bytes), canonicalText(json));
  assert.equal(
    [json.plan_id, json.step_id, json.execution_id, json.attempt, json.outcome, json.processor],
    ['plan', 'train', 'plan.train.1', 1, 'succeeded', 'test/probe@1'],
  );
  assert.is(json.params_cid, cidOf('{}'));
  assert.equal(json.input_cids, { '/artifacts/inputs/a': cidOf('a') });
  assert.equal(json.output_cids, {
    '/artifacts/outputs/plan/train/a.json': cidOf('a.json'),
    '/artifacts/outputs/plan/train/b.json': cidOf('b.json'),
  });
  assert.equal(json.env_fingerprint, ENVIRONMENT);
  assert.is(json.env_fingerprint_hash, cidOf(canonicalText(ENVIRONMENT)));
  assert.is(json.memo_key, memoKey);
});

test('whoever makes a receipt again makes the same bytes', () => {
  assert.equal(
    receiptOfRun({ outputs: ['a.json', 'b.json'] }).bytes,
    receiptOfRun({ outputs: ['b.json', 'a.json'] }).bytes,
  );
  assert.equal(
    receiptOfRun({ worker: 'one', durationMs: 1 }).bytes,
    receiptOfRun({ worker: 'two', durationMs: 9 }).bytes,
  );
});

test('a receipt names the outputs of its own execution, and neither logs nor other receipts', () => {
  const chain = ranChain({});
  const id = 'plan.train.1';
  const log = written('plan', 'train', '../../executions/log.txt', id);
  if (log.kind !== 'artifact.written') throw new Error('no artifact');
  const path = `/artifacts/executions/plan/${id}/log.txt`;
  chain
    .append('dispatcher', scheduled('plan', 'judge', 1, 0))
    .append('dispatcher', [started('plan.judge.1'), written('plan', 'judge', 'other.json', 'plan.judge.1')]);
  const execution = chain.state.executions.get(id);
  if (execution === undefined) throw new Error('the run is not there');
  // A dispatcher writes the log before the end, which this chain has behind it.
  const artifacts = chain.state.artifacts.set(path, { ...log.data, path });
  const leftBy = chain.state.leftBy.set(id, [...(chain.state.leftBy.get(id) ?? []), path]);
  const receipt = receiptOf({ ...chain.state, artifacts, leftBy }, planOf([step('train')]), execution);
  assert.equal(Object.keys(JSON.parse(new TextDecoder().decode(receipt.bytes)).output_cids), [
    '/artifacts/outputs/plan/train/a.json',
    '/artifacts/outputs/plan/train/b.json',
  ]);
});

const MEMO = receiptOfRun().memoKey;

test('the memo key is the same for whatever cannot change the outputs', () => {
  const same: Record<string, Run> = {
    'another attempt': { attempt: 3 },
    'another step': { stepId: 'judge' },
    'another worker': { worker: 'two' },
    'a longer run': { durationMs: 9_999 },
    'another place': { environment: { region: 'eu-west-1', adapter: 'local' } },
    'another version of what runs it': { environment: { versions: { node: '22' } } },
    'the same inputs from elsewhere': { inputs: { table: input('a', '/artifacts/elsewhere/a') } },
  };
  for (const [what, run] of Object.entries(same)) assert.is(receiptOfRun(run).memoKey, MEMO, what);
});

test('the memo key is another for whatever can change the outputs', () => {
  const others: Record<string, Run> = {
    'other params': { step: { params: { value: 2 } } },
    'other code': { environment: { image_digest: cidOf('other code') } },
    'another input': { inputs: { table: input('b') } },
    'an input under another name': { inputs: { profile: input('a') } },
    'no input': { inputs: {} },
    'more memory': { environment: { memory_gb: 8 } },
    'more cores': { environment: { cpu: 2 } },
    'a GPU': { environment: { gpu: { model: 'H100', count: 1, mem_gb: 80 } } },
    'more time': { environment: { timeout_s: 99 } },
    'another secret': { environment: { present_env_keys: ['OTHER'] } },
    'another processor': { step: { processor: 'test/reader@1' } },
  };
  const keys = Object.entries(others).map(([what, run]) => [what, receiptOfRun(run).memoKey] as const);
  for (const [what, key] of keys) assert.is.not(key, MEMO, what);
  assert.is(new Set(keys.map(([, key]) => key)).size, keys.length);
});

test('inputs that change places are another execution', () => {
  const [a, b] = [input('a'), input('b')];
  const one = receiptOfRun({ inputs: { left: a, right: b } });
  const other = receiptOfRun({ inputs: { left: b, right: a } });
  assert.is.not(one.memoKey, other.memoKey);
});

test('an execution that was lost has a receipt without a fingerprint', () => {
  const chain = admittedChain('plan').append('dispatcher', scheduled('plan', 'train', 1, 400));
  chain.append('dispatcher', [lost('plan.train.1', 0)]);
  const execution = chain.state.executions.get('plan.train.1');
  if (execution === undefined) throw new Error('the run is not there');
  const receipt = JSON.parse(
    new TextDecoder().decode(receiptOf(chain.state, planOf([step('train')]), execution).bytes),
  );
  assert.equal([receipt.outcome, receipt.env_fingerprint, receipt.env_fingerprint_hash], ['lost', null, null]);
  assert.equal([receipt.input_cids, receipt.output_cids], [{}, {}]);
});

test('an execution is settled once, for what it used; one that never started costs nothing', () => {
  const receipt = {
    path: '/artifacts/executions/plan/plan.train.1/determinism.json',
    bytes: new Uint8Array(),
    memoKey: cidOf('m'),
    cid: cidOf('r'),
  };
  const stored = { sha256: 'ab'.repeat(32), size: 3 };
  // Of a plan that does not end with it: nobody has looked at its predicate.
  const plan = withPredicates(1);
  const settling = [{ executionId: 'plan.train.1', receipt, stored }];
  const command = { plan, settling, checked: { from: 0, results: [] } };
  const costOf = (chain: Chain) => {
    const { drafts } = decideSettle(chain.state, command);
    const budget = drafts.find(({ kind }) => kind === 'budget.settled');
    // The state must accept what was decided, and then there is nothing more to decide.
    chain.append('settler', drafts);
    assert.equal(decideSettle(chain.state, command).drafts, []);
    assert.is(chain.state.budget.held, 0);
    return budget?.kind === 'budget.settled' ? budget.data.actual_usd_micro : undefined;
  };
  assert.is(costOf(ranChain({ durationMs: 1_500 })), 115);
  assert.is(costOf(ranChain({ durationMs: 9_999_999 })), 400);
  const waiting = admittedChain('plan').append('dispatcher', scheduled('plan', 'train', 1, 400));
  assert.equal(decideSettle(waiting.state, command).drafts, []);
  assert.is(costOf(waiting.append('dispatcher', [failed('plan.train.1', 700)])), 0);
});

test.run();
