import * as assert from 'uvu/assert';
import { parseCancel, parseSubmission } from '../../services/admission/command.ts';
import { decideCancel, decideSubmit, ruleOn } from '../../services/admission/decide.ts';
import { cidOf } from '../../shared/hash/cid.ts';
import { emptyState } from '../../shared/ledger/state.ts';
import { suite } from '../harness/suite.ts';
import { admittedChain } from '../ledger/plan-history.ts';
import { judgedHere } from './judged-here.ts';
import { DEPLOYMENT, planOf, registryOf, told } from './refused-plan.ts';

const test = suite('what a refused command says');

test('a command that is none is told as that', () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const said = (parsed: ReturnType<typeof parseSubmission> | ReturnType<typeof parseCancel>): unknown[] =>
    parsed.ok ? ['taken'] : [parsed.planId, told(parsed.fault)];
  const id =
    '/plan_id ERR_PLAN_ID: the plan_id is missing or malformed; expected a string of the form [a-z0-9][a-z0-9_-]{0,62}';
  const object = ' ERR_SCHEMA: the command is no object; expected a JSON object';
  for (const parse of [parseSubmission, parseCancel]) {
    assert.equal(said(parse(bytes('[]'))), [undefined, object]);
    assert.equal(said(parse(bytes('null'))), [undefined, object]);
    assert.equal(said(parse(bytes('"iris"'))), [undefined, object]);
    assert.equal(said(parse(bytes('{"plan_id":"A"}'))), [undefined, id]);
    assert.match(String(said(parse(bytes('{')))[1]), / ERR_NOT_JSON: .+; expected one JSON object in UTF-8$/);
    assert.match(String(said(parse(Uint8Array.of(0x22, 0xe4)))[1]), / ERR_NOT_JSON: /);
  }
  assert.is(parseCancel(bytes('{"plan_id":"iris"}')).ok, true);
  const large = parseSubmission(bytes(`{"plan_id":"iris","title":"${'x'.repeat(262_144)}"}`));
  assert.equal(said(large), [
    'iris',
    ' ERR_TOO_LARGE: the plan has 262173 bytes; expected at most 262144 bytes in canonical form',
  ]);
  const exact = `{"plan_id":"iris","title":"${'x'.repeat(262_144 - 29)}"}`;
  assert.is(parseSubmission(bytes(exact)).ok, true, `${exact.length}`);
});

test('another body under a taken id, and a plan that is not there, are told with what is known', () => {
  const parsed = parseSubmission(new TextEncoder().encode(JSON.stringify({ ...planOf(), plan_id: 'plan' })));
  if (!parsed.ok) throw new Error(parsed.fault.message);
  const ruling = ruleOn(parsed.value, registryOf(), {
    ...DEPLOYMENT,
    ...judgedHere(parsed.value.document, registryOf()),
  });
  const command = { ruling, nowMs: 0, principal: 'ann', commandSeq: 3, declareLeases: false };
  const conflict = decideSubmit(admittedChain('plan').state, command);
  assert.is(
    conflict.kind === 'conflict' && told(conflict.fault),
    `/plan_id ERR_PLAN_CONFLICT: plan plan exists with another body; expected a new plan_id, or the body with CID ${cidOf('plan plan')}`,
  );
  const { refused } = decideCancel(emptyState('plan'), { commandSeq: 1, principal: 'anonymous', operators: [] });
  assert.equal([refused?.code, refused?.message, refused?.pointer], ['ERR_PLAN_UNKNOWN', 'no plan plan', '/plan_id']);
});

test('text that no event can hold is refused with its plan, since it has one', () => {
  const parsed = parseSubmission(new TextEncoder().encode('{"plan_id":"iris","title":"\\ud800"}'));
  assert.equal(
    [parsed.ok, !parsed.ok && parsed.planId, !parsed.ok && parsed.fault.code],
    [false, 'iris', 'ERR_NOT_I_JSON'],
  );
});

test.run();
