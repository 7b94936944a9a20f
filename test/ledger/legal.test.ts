import * as assert from 'uvu/assert';
import { canonicalText } from '../../shared/hash/canonical.ts';
import { type Draft, LEDGER_WRITERS } from '../../shared/ledger/events.ts';
import { LEGAL } from '../../shared/ledger/legal.ts';
import { Verifier } from '../../shared/ledger/verify.ts';
import { suite } from '../harness/suite.ts';
import {
  ADMITTED,
  admittedInVersion1,
  BROKEN,
  BROKEN_OTHERWISE,
  BUDGET,
  by,
  CHECKED,
  FAILED,
  ID,
  other,
  RECEIPT,
  SETTLED,
  STARTED,
  SUCCEEDED,
  settledAfter,
} from './broken-histories.ts';
import { chained, type Deed } from './histories.ts';
import { cancelRequested, checked, rejected, settled, submitted, succeeded, written } from './plan-history.ts';

const test = suite('what is legal');

/** The findings of a history that links and hashes, whatever it tells. */
function findingsOf(deeds: readonly Deed[]): { place: string; message: string }[] {
  const verifier = new Verifier();
  for (const event of chained('plan', deeds)) verifier.line(canonicalText(event), `line ${event.seq}`);
  return verifier.verdict().findings.map(({ place, message }) => ({ place, message }));
}

for (const [name, [given, when, then]] of Object.entries(BROKEN)) {
  test(`${name}: what breaks it is found at its place, and told once`, () => {
    assert.equal(findingsOf(given), [], 'what is given is legal');
    const findings = findingsOf([...given, ...when, ...by('settler', settled('failed', 0))]);
    assert.is(findings.length, 1);
    assert.match(findings[0]?.message ?? '', then);
    assert.is(findings[0]?.place, `line ${given.length + 1}`);
  });
}

for (const [given, when, then] of BROKEN_OTHERWISE) {
  test(`found as well: ${then.source}`, () => {
    assert.equal(findingsOf(given), [], 'what is given is legal');
    const [finding] = findingsOf([...given, ...when]);
    assert.match(finding?.message ?? '', then);
    assert.is(finding?.place, `line ${given.length + 1}`);
  });
}

test('every rule of the table is broken here once', () => {
  const names = Object.values(LEGAL).flatMap(({ rules }) => rules.map(({ name }) => name));
  assert.equal([...new Set(names)].sort(), Object.keys(BROKEN).sort());
});

test('an event by a service that never writes that kind is found, whatever else is right', () => {
  for (const [index, { draft }] of CHECKED.entries()) {
    const forged = CHECKED.slice(0, index);
    const stranger = LEDGER_WRITERS.find((writer) => !LEGAL[draft.kind].by.includes(writer));
    if (stranger === undefined) throw new Error(`everybody writes ${draft.kind}`);
    const [finding] = findingsOf([...forged, { by: stranger, draft }]);
    assert.match(finding?.message ?? '', new RegExp(`it is by ${stranger}, not `));
    assert.is(finding?.place, `line ${index + 1}`);
  }
});

test('a receipt is written by the settler, and nothing else is', () => {
  const early = findingsOf([...STARTED, ...by('dispatcher', RECEIPT)]);
  assert.match(early[0]?.message ?? '', /is written by the settler/);
  const log = other(RECEIPT, { path: `/artifacts/executions/plan/${ID}/log.txt` });
  assert.match(findingsOf([...SUCCEEDED, ...by('settler', log)])[0]?.message ?? '', /is not the receipt/);
});

test('a plan that has to end may end without a receipt, and says of none that was written that it was not', () => {
  const ending = [...FAILED, ...by('dispatcher', cancelRequested('deadline'))];
  const owed = by('settler', BUDGET, other(SETTLED, { receipt_stored: false }), settled('failed', 40));
  assert.equal(findingsOf([...ending, ...owed]), []);
  const [finding] = findingsOf([...ending, ...by('settler', RECEIPT), ...owed]);
  assert.match(finding?.message ?? '', /its receipt was written at /);
  const elsewhere = other(SETTLED, { receipt_stored: false, receipt_path: '/artifacts/elsewhere.json' });
  assert.match(findingsOf([...ending, ...by('settler', BUDGET, elsewhere)])[0]?.message ?? '', /its receipt is /);
});

test('a plan that succeeded may say which receipts are not stored', () => {
  const ending = [...SUCCEEDED, ...by('dispatcher', cancelRequested('deadline'))];
  const owed = by('settler', BUDGET, other(SETTLED, { receipt_stored: false }), checked(0, true));
  const fault = { code: 'ERR_UNAVAILABLE', message: 'the receipt of plan.fetch.1 could not be stored' };
  const end = (faults: readonly object[]) => by('settler', other(settled('succeeded', 40), { faults }));
  assert.equal(findingsOf([...ending, ...owed, ...end([fault])]), []);
  assert.match(
    findingsOf([...ending, ...owed, ...end([fault, fault])])[0]?.message ?? '',
    /2 faults, and 1 receipt not stored/,
  );
});

test('what version 1 does not tell is not held against it', () => {
  const old = (draft: Draft): Deed => ({ by: 'admission', draft, v: 1 });
  const { principal: _, command_seq: __, ...first } = submitted('plan').data as Readonly<Record<string, unknown>>;
  const plan = [old({ kind: 'plan.submitted', data: first } as unknown as Draft), old(admittedInVersion1)];
  const elsewhere = other(written('plan', 'fetch', 'a', ID), { path: '/artifacts/outputs/other/fetch/a' });
  const ran = [...SUCCEEDED.slice(2, -2), ...by('dispatcher', elsewhere, succeeded(ID, 5))];
  assert.equal(findingsOf([...plan, ...settledAfter(ran), ...by('settler', settled('failed', 40))]), []);
});

test('the whole history is legal, and so is a rejected plan whose id another command takes', () => {
  assert.equal(findingsOf([...CHECKED, ...by('settler', settled('succeeded', 40))]), []);
  assert.equal(findingsOf([...by('admission', submitted('plan', 9), rejected('no')), ...ADMITTED]), []);
});

test.run();
