import * as assert from 'uvu/assert';
import { lookUpJudgements } from '../../services/admission/judgements.ts';
import { fault } from '../../shared/errors/isomorph-error.ts';
import type { Plan } from '../../shared/plan/plan.ts';
import { suite } from '../harness/suite.ts';

const test = suite('admission: what is asked of the judge');

const predicates = ['[', 'a', 'b'].map((expression) => ({
  use: 'artifact.jmespath_ok@1',
  path: '/artifacts/inputs/x.json',
  expression,
}));
const plan = { plan_id: 'p', steps: [], predicates } as unknown as Plan;
const registry = { processors: new Map() };

/** What is asked, of whom, where every answer is a fault with this code. */
async function asked(code: 'ERR_PREDICATE' | 'ERR_TOO_COSTLY'): Promise<string[]> {
  const questions: string[] = [];
  const judge = {
    faults: async (asker: string, { pointer }: { readonly pointer: string }) => {
      questions.push(`${asker} ${pointer}`);
      return [fault(code, 'no', { pointer, expected: 'another' })];
    },
  };
  await lookUpJudgements(judge, 'ana', plan, registry as never);
  return questions;
}

test('one predicate that costs too much refuses the plan: no other is asked', async () => {
  assert.equal(await asked('ERR_TOO_COSTLY'), ['ana /predicates/0']);
});

test('what is wrong otherwise is told of every predicate, and asked for the principal', async () => {
  assert.equal(await asked('ERR_PREDICATE'), ['ana /predicates/0', 'ana /predicates/1', 'ana /predicates/2']);
});

test.run();
