import * as assert from 'uvu/assert';
import { effectOf, purgeAt } from '../../services/dispatcher/effects.ts';
import { EVENT_KINDS, type LedgerEvent } from '../../shared/ledger/events.ts';
import { suite } from '../harness/suite.ts';
import { admittedChain, lost, START_MS, scheduled } from '../ledger/plan-history.ts';
import { planOf, processor, step } from '../plan/admitted-plan.ts';

const test = suite('what an event makes a dispatcher send');

const chain = admittedChain('plan')
  .append('dispatcher', scheduled('plan', 'train', 1, 400))
  .append('dispatcher', [lost('plan.train.1', null)])
  .append('dispatcher', scheduled('plan', 'train', 2, 400));
const effects = (kind: LedgerEvent['kind']) =>
  chain.events.filter((event) => event.kind === kind).map((event) => effectOf(event, 7));

test('a scheduled execution sends its work to its adapter, once an attempt, with the commit that a reader must have seen', () => {
  const about = { plan_id: 'plan', not_before: '2026-11-22T08:00:01.500Z', ledger_seq: 7 };
  assert.equal(effects('execution.scheduled'), [
    { subject: 'work.mock', msgId: 'work-plan.train.1', body: { ...about, execution_id: 'plan.train.1' } },
    { subject: 'work.mock', msgId: 'work-plan.train.2', body: { ...about, execution_id: 'plan.train.2' } },
  ]);
});

test('no other event sends anything', () => {
  const [event] = chain.events as [LedgerEvent];
  for (const kind of EVENT_KINDS) {
    if (kind === 'execution.scheduled') continue;
    assert.is(effectOf({ ...event, kind } as LedgerEvent, 7), undefined, kind);
  }
});

test('what a plan left in scratch is due when its retention is over; a plan that goes on or uses none leaves nothing', () => {
  const plan = planOf([step('train')]);
  const used = { ...plan, processors: { ...plan.processors, 'test/user@1': processor({ scratch: ['queue'] }) } };
  const settledAt = new Date(START_MS).toISOString();
  assert.is(purgeAt({ settledAt }, plan, 90), undefined);
  assert.is(purgeAt({ settledAt }, undefined, 90), START_MS + 90_000, 'nobody can tell');
  assert.is(purgeAt({ settledAt: undefined }, used, 90), undefined);
  assert.is(purgeAt({ settledAt }, used, 90), START_MS + 90_000);
});

test.run();
