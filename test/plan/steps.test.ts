import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { evolve } from '../../shared/ledger/evolve.ts';
import { emptyState, type PlanState } from '../../shared/ledger/state.ts';
import { type PlanProgress, progressOf } from '../../shared/plan/progress.ts';
import { suite } from '../harness/suite.ts';
import { histories } from '../ledger/arbitrary.ts';
import { admittedChain, scheduled, started, succeeded } from '../ledger/plan-history.ts';
import { planOf, step } from './admitted-plan.ts';
import { attempt, schedulable, statuses } from './attempts.ts';
import { naiveProgress, type PlainProgress } from './naive-progress.ts';

const test = suite('the steps of a plan, followed');

const plainOf = (progress: PlanProgress): PlainProgress => ({
  steps: [...progress.steps].map(([id, { status }]) => [id, status]),
  schedulable: schedulable(progress),
  unpayable: progress.unpayable,
  revocable: progress.revocable.map(({ executionId }) => executionId),
  finished: progress.finished,
  everyStepSucceeded: progress.everyStepSucceeded,
});

const threeSteps = planOf([
  step('fetch', { retry: { max_attempts: 3, backoff_s: 0, backoff_factor: 1 } }),
  step('train', { needs: ['fetch', 'fetch'] }),
  step('judge', { needs: ['fetch', 'train'], processor: 'test/reader@1' }),
]);

test('progress is that of the state, whatever states of the plan were asked about before, in any order', () => {
  fc.assert(
    fc.property(histories(), histories(), fc.array(fc.nat(), { maxLength: 20 }), (one, other, order) => {
      const states = [one, other].flatMap(({ commits }) => {
        let state = emptyState('plan');
        return [state, ...commits.map((commit) => (state = evolve(state, commit)))];
      });
      const asked = [...states, ...order.map((at) => states[at % states.length] as PlanState)];
      for (const state of asked) {
        assert.equal(plainOf(progressOf(state, threeSteps)), naiveProgress(state, threeSteps));
      }
    }),
  );
});

test('an answer stays what it was when the plan goes on', () => {
  const two = planOf([step('top'), step('left', { needs: ['top'] })]);
  const chain = admittedChain('plan', 10_000);
  const before = progressOf(chain.state, two);
  attempt(chain, 'top', 1, 'succeeded');
  progressOf(chain.state, two);
  assert.equal([statuses(before).top, schedulable(before)], ['ready', ['top.1']]);
});

test('a chain of very many steps is followed from its end as well as step by step', () => {
  const count = 8_000;
  const plan = planOf(Array.from({ length: count }, (_, n) => step(`s${n}`, { needs: n === 0 ? [] : [`s${n - 1}`] })));
  const chain = admittedChain('plan', Number.MAX_SAFE_INTEGER, { steps: count });
  const all = plan.steps.flatMap(({ id }) => {
    const executionId = `plan.${id}.1`;
    return [...scheduled('plan', id, 1, 0), started(executionId), succeeded(executionId, 5)];
  });
  chain.append('dispatcher', all);
  assert.is(progressOf(chain.state, plan).everyStepSucceeded, true);
});

test.run();
