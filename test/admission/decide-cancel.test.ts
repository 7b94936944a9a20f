import * as assert from 'uvu/assert';
import { parseCancel } from '../../services/admission/command.ts';
import { decideCancel, decideSubmit } from '../../services/admission/decide.ts';
import { NOTHING } from '../../shared/ledger/decider.ts';
import { emptyState } from '../../shared/ledger/state.ts';
import { probePlan } from '../harness/probe-plan.ts';
import { suite } from '../harness/suite.ts';
import { admittedChain, Chain, cancelRequested, settled } from '../ledger/plan-history.ts';
import { OPTIONS, rulingOf } from './ruled-plan.ts';

const test = suite('what admission decides on a cancellation');

const CANCEL = { commandSeq: 9, principal: 'anonymous', operators: ['operator'] };

test('a running plan is cancelled once; an ended one is left alone; an unknown one is refused', () => {
  const chain = admittedChain('plan');
  const first = decideCancel(chain.state, CANCEL);
  assert.equal(first, { drafts: [cancelRequested('client')] });
  chain.append('admission', [cancelRequested('client')]);
  assert.equal(decideCancel(chain.state, CANCEL), NOTHING);
  chain.append('settler', [settled('cancelled', 0)]);
  assert.equal(decideCancel(chain.state, CANCEL), NOTHING);
  const unknown = decideCancel(emptyState('nobody'), CANCEL);
  assert.is(unknown.refused?.code, 'ERR_PLAN_UNKNOWN');
  assert.equal(unknown.drafts, []);
  assert.equal(parseCancel(Buffer.from('{"plan_id":"plan"}')), { ok: true, value: 'plan' });
});

test('a plan is cancelled by the principal whose it is, or by an operator, and by nobody else, whatever has become of it', () => {
  const ruling = rulingOf(probePlan('plan'));
  const chain = new Chain('plan').append(
    'admission',
    decideSubmit(emptyState('plan'), { ruling, ...OPTIONS, principal: 'alice' }).drafts,
  );
  assert.is(chain.state.submitted?.principal, 'alice');
  const by = (principal: string) => decideCancel(chain.state, { ...CANCEL, principal });
  const wanted = { drafts: [cancelRequested('client')] };
  assert.equal([by('alice'), by('operator')], [wanted, wanted]);
  for (const principal of ['bob', 'anonymous', 'alic', 'alice2']) {
    const { refused, drafts } = by(principal);
    assert.equal([refused?.code, drafts], ['ERR_PRINCIPAL', []], principal);
  }
  chain.append('settler', [settled('failed', 0)]);
  assert.is(by('bob').refused?.code, 'ERR_PRINCIPAL');
  assert.equal(by('alice'), NOTHING);
});

test('a cancellation that was stored before the plan, and comes late, does not end it', () => {
  const { drafts } = decideSubmit(emptyState('plan'), { ruling: rulingOf(probePlan('plan')), ...OPTIONS });
  const { state } = new Chain('plan').append('admission', drafts);
  const late = decideCancel(state, { ...CANCEL, commandSeq: OPTIONS.commandSeq - 1 });
  assert.equal([late.refused?.code, late.drafts], ['ERR_PLAN_UNKNOWN', []]);
  assert.is(decideCancel(state, { ...CANCEL, commandSeq: OPTIONS.commandSeq + 1 }).drafts.length, 1);
});

test.run();
