import * as assert from 'uvu/assert';
import { effectOf, purgeOf } from '../../services/dispatcher/effects.ts';
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

test('an admitted plan sends the alarm of its deadline', () => {
  const body = { plan_id: 'plan', deadline: '2026-11-23T08:00:00.000Z', ledger_seq: 7 };
  assert.equal(effects('plan.admitted'), [{ subject: 'work.timer', msgId: 'timer-plan', body }]);
});

test('no other event sends anything', () => {
  const [event] = chain.events as [LedgerEvent];
  for (const kind of EVENT_KINDS) {
    if (kind === 'execution.scheduled' || kind === 'plan.admitted') continue;
    assert.is(effectOf({ ...event, kind } as LedgerEvent, 7), undefined, kind);
  }
});

test('what a plan left in scratch is purged once its retention is over; a plan without scratch is left alone', () => {
  const retention = { nowMs: START_MS, scratchRetentionS: 90 };
  const plan = planOf([step('train')]);
  assert.is(purgeOf(plan, retention), undefined);
  const used = { ...plan, processors: { ...plan.processors, 'test/user@1': processor({ scratch: ['queue'] }) } };
  assert.equal(purgeOf(used, retention), {
    subject: 'work.purge',
    msgId: 'purge-plan',
    body: { plan_id: 'plan', not_before: '2026-11-22T08:01:30.000Z' },
  });
});

test.run();
