import * as assert from 'uvu/assert';
import { BoundedFacts } from '../../services/gateway/bounded-facts.ts';
import type { FactSink, ScratchFact } from '../../shared/scratch/facts.ts';
import { suite } from '../harness/suite.ts';

const test = suite('facts of one plan');

test('a plan that uses its scratch without end is recorded so far, and another one whole', async () => {
  const sent: string[] = [];
  const sink: FactSink = {
    emit: ({ planId }) => void sent.push(planId),
    dropped: 0,
    flush: async () => undefined,
    close: async () => undefined,
  };
  const told: number[] = [];
  const facts = new BoundedFacts(sink, { most: 3, tell: ({ used }) => void told.push(used) });
  const of = (planId: string): ScratchFact => ({ planId, kind: 'scratch.kv.changed', data: { key: 'k', op: 'put' } });
  for (let index = 0; index < 100; index++) facts.emit(of('greedy'));
  facts.emit(of('harmless'));
  assert.equal(sent, ['greedy', 'greedy', 'greedy', 'harmless']);
  assert.is(facts.dropped, 97);
  assert.equal([told[2], told[3]], [3, 4]);
  await facts.close();
});

test.run();
