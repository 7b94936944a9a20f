import * as assert from 'uvu/assert';
import { leftBy, logPath } from '../../shared/plan/left.ts';
import { suite } from '../harness/suite.ts';
import { admittedChain, type Chain, failed, scheduled, started, succeeded, written } from '../ledger/plan-history.ts';
import { planOf, step } from './admitted-plan.ts';

const test = suite('what an execution left');
const ID = 'plan.train.1';
const plan = planOf([step('train'), step('judge')]);

const running = (): Chain =>
  admittedChain('plan', 10_000, { steps: 2 })
    .append('dispatcher', scheduled('plan', 'train', 1, 0))
    .append('dispatcher', [started(ID)]);

const pathsOf = ({ state }: Chain, id = ID): string[] => {
  const execution = state.executions.get(id);
  return execution === undefined ? [] : leftBy(state, plan, execution).map(({ path }) => path);
};

test('its outputs and its log, as the ledger names them', () => {
  const [log] = [written('plan', 'train', 'out.json', ID, 'log')];
  if (log?.kind !== 'artifact.written') throw new Error('a fixture');
  const named = { ...log, data: { ...log.data, path: logPath('plan', ID) } };
  const chain = running().append('dispatcher', [
    written('plan', 'train', 'out.json', ID, 'x'),
    named,
    succeeded(ID, 5),
  ]);
  assert.equal(pathsOf(chain), ['/artifacts/outputs/plan/train/out.json', `/artifacts/executions/plan/${ID}/log.txt`]);
});

test('nothing before its end, nothing of another attempt, nothing that no event names', () => {
  assert.equal(pathsOf(running()), []);
  const again = running()
    .append('dispatcher', [failed(ID, 5)])
    .append('dispatcher', scheduled('plan', 'train', 2, 0))
    .append('dispatcher', [started('plan.train.2')])
    .append('dispatcher', [written('plan', 'train', 'out.json', 'plan.train.2', 'x'), succeeded('plan.train.2', 5)]);
  assert.equal(pathsOf(again), []);
  assert.equal(pathsOf(again, 'plan.train.2'), ['/artifacts/outputs/plan/train/out.json']);
});

test.run();
