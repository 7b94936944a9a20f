import * as assert from 'uvu/assert';
import { decideStart, type Start } from '../../services/dispatcher/decide.ts';
import { failure } from '../../services/dispatcher/outcome.ts';
import { canonicalBytes } from '../../shared/hash/canonical.ts';
import { type Cid, cidOf } from '../../shared/hash/cid.ts';
import type { ArtifactStat } from '../../shared/world/artifact-store.ts';
import { suite } from '../harness/suite.ts';
import {
  admittedChain,
  Chain,
  cancelRequested,
  lost,
  START_MS,
  scheduled,
  started,
  succeeded,
  written,
} from '../ledger/plan-history.ts';
import { processor, step } from '../plan/admitted-plan.ts';
import { dispatcher, ID, INPUT, RESERVE } from './one-step.ts';

const test = suite('how a dispatcher starts an execution');

// What a run may start with.

const statOf = (content: string, path = INPUT): ArtifactStat => ({
  path,
  cid: cidOf(content) as Cid,
  sha256: 'ab'.repeat(32),
  size: content.length,
  contentType: 'text/csv',
});

const READER = step('train', { inputs: { table: INPUT }, params: { depth: 3 } });
const start = (changes: Partial<Start> = {}): Start => ({
  executionId: ID,
  step: READER,
  processor: processor(),
  found: { inputs: { table: statOf('a,b') } },
  worker: 'dispatcher-7',
  nowMs: START_MS,
  ...changes,
});

/** The plan with the input that another step wrote. */
const withInput = (): Chain =>
  admittedChain('plan', 10_000)
    .append('dispatcher', scheduled('plan', 'clean', 1, RESERVE))
    .append('dispatcher', [started('plan.clean.1')])
    .append('dispatcher', [written('plan', 'clean', 'table.csv', 'plan.clean.1', 'a,b'), succeeded('plan.clean.1', 5)])
    .append('dispatcher', scheduled('plan', 'train', 1, RESERVE));

test('an execution is claimed with what it starts with and until when it may run', () => {
  const { decision, state } = dispatcher(withInput()).when(decideStart, start());
  assert.is(decision.kind, 'started');
  assert.equal(state.executions.get(ID)?.started, {
    execution_id: ID,
    worker: 'dispatcher-7',
    session: 'dispatcher-7',
    deadline: new Date(START_MS + 30_000).toISOString(),
    params_cid: cidOf(canonicalBytes({ depth: 3 })),
    inputs: { table: { path: INPUT, cid: cidOf('a,b') } },
  });
  if (decision.kind !== 'started') return;
  assert.equal([decision.deadlineMs, decision.inputs.table], [START_MS + 30_000, statOf('a,b')]);
});

test('an execution is claimed by the first; whoever comes later, or after its end, writes nothing', () => {
  const claimed = withInput().append('dispatcher', [started(ID)]);
  for (const chain of [claimed, withInput().append('dispatcher', [lost(ID, 0)]), new Chain('plan')]) {
    assert.equal(dispatcher(chain).when(decideStart, start()).decision, { kind: 'taken', drafts: [] });
  }
});

/** The code that an execution ends with, which must not start. */
function refusedWith(chain: Chain, command: Start): string | undefined {
  const { decision, state } = dispatcher(chain).when(decideStart, command);
  const end = state.executions.get(ID)?.end;
  assert.equal([decision.kind, state.executions.get(ID)?.started], ['refused', undefined]);
  return end?.status === 'failed' ? end.code : end?.status;
}

test('nothing starts once the plan is cancelled, by whom and why ever', () => {
  for (const reason of ['client', 'deadline'] as const) {
    const chain = withInput().append(reason === 'client' ? 'admission' : 'dispatcher', [cancelRequested(reason)]);
    assert.is(refusedWith(chain, start()), 'ERR_CANCELLED');
    // Whatever its stores say, or if nobody asked them.
    assert.is(refusedWith(chain, start({ found: { inputs: {} } })), 'ERR_CANCELLED');
  }
});

test('nothing starts without an input, or without its secrets', () => {
  assert.is(refusedWith(withInput(), start({ found: { inputs: {} } })), 'ERR_INPUT_MISSING');
  const fault = failure('ERR_MISSING_SECRET', 'no secret TOKEN');
  assert.is(refusedWith(withInput(), start({ found: { inputs: {}, fault } })), 'ERR_MISSING_SECRET');
});

test('nothing starts on an input whose bytes are not those that the ledger names', () => {
  const found = { inputs: { table: statOf('other bytes') } };
  assert.is(refusedWith(withInput(), start({ found })), 'ERR_CID_MISMATCH');
});

test('an input that the ledger does not name is taken as it is', () => {
  const path = '/artifacts/inputs/raw.csv';
  const command = start({
    step: step('train', { inputs: { code: path } }),
    found: { inputs: { code: statOf('x', path) } },
  });
  assert.is(dispatcher(withInput()).when(decideStart, command).decision.kind, 'started');
});

test.run();
