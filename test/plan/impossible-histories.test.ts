import * as assert from 'uvu/assert';
import { cidOf } from '../../shared/hash/cid.ts';
import type { EventKind } from '../../shared/ledger/events.ts';
import { suite } from '../harness/suite.ts';
import type { Deed } from '../ledger/histories.ts';
import { cancelRequested, checked, settled, succeeded, written } from '../ledger/plan-history.ts';
import {
  ADMISSION,
  BUDGET,
  by,
  DONE,
  ENDED,
  FAILED,
  failedAttempt,
  foundIn,
  ID,
  other,
  RECEIPT,
  RESERVE,
  SCHEDULE,
  SCHEDULED,
  SETTLED,
  STARTED,
  schedule,
  scheduleOf,
  writtenBy,
} from './audited-history.ts';

const test = suite('impossible histories');

/** The row "re-hashed impossible histories", each entry of it, and by which of the two it is found. */
const again = (kind: EventKind, from: readonly Deed[]): Deed[] => from.filter(({ draft }) => draft.kind === kind);
const IMPOSSIBLE: Readonly<Record<string, readonly [by: 'chain' | 'document', deeds: readonly Deed[]]>> = {
  'succeeded after a failed predicate': [
    'chain',
    [...DONE, ...by('settler', checked(0, true), checked(1, false), settled('succeeded', 110))],
  ],
  'a step scheduled again after it succeeded': [
    'chain',
    [...DONE, ...by('dispatcher', ...scheduleOf('fetch', 2).slice(0, 1))],
  ],
  'succeeded without started': ['chain', [...SCHEDULED, ...by('dispatcher', succeeded(ID, 1))]],
  'settled succeeded after a failed last execution': [
    'chain',
    [...FAILED, ...by('settler', RECEIPT, BUDGET, SETTLED, settled('succeeded', 110))],
  ],
  'scheduled after a cancel': [
    'chain',
    [...ADMISSION, ...by('admission', cancelRequested('client')), ...schedule('draw')],
  ],
  'a receipt CID never written': [
    'chain',
    [...FAILED, ...by('settler', RECEIPT, BUDGET, other(SETTLED, { receipt_cid: cidOf('never') }))],
  ],
  'an artifact of no execution': ['chain', [...ADMISSION, ...by('dispatcher', writtenBy('fetch', 1))]],
  'ids that do not fit': [
    'chain',
    [...ADMISSION, ...by('dispatcher', other(RESERVE, { execution_id: 'other.fetch.1' }))],
  ],
  'by a service that never writes that kind': ['chain', [...ADMISSION, ...by('sampler', RESERVE)]],
  'a step that the plan does not have': [
    'document',
    [...ADMISSION, ...by('dispatcher', other(SCHEDULE, { step_id: 'more', execution_id: 'plan.more.1' }))],
  ],
  'a step before what it needs': ['document', [...ADMISSION, ...schedule('draw')]],
  'more attempts than the plan allows': [
    'document',
    [...ADMISSION, ...failedAttempt(1), ...failedAttempt(2), ...failedAttempt(3).slice(0, 2)],
  ],
  'an artifact of another step': [
    'document',
    [...STARTED, ...by('dispatcher', written('plan', 'draw', 'out.json', ID))],
  ],
  'another amount than the registry entry says': [
    'document',
    [...ADMISSION, ...by('dispatcher', other(RESERVE, { usd_micro: 1 }))],
  ],
  'the same predicate twice': [
    'chain',
    [...DONE, ...by('settler', checked(0, true)), ...again('predicate.checked', ENDED).slice(0, 1)],
  ],
  'failed, though every step and predicate succeeded': [
    'chain',
    [...ENDED.slice(0, -1), ...by('settler', settled('failed', 220))],
  ],
};

for (const [name, [finder, deeds]] of Object.entries(IMPOSSIBLE)) {
  test(`${name}: found by the ${finder}`, () => {
    assert.equal(foundIn(deeds.slice(0, -1)).chain, []);
    const found = foundIn(deeds);
    assert.equal(
      found[finder].map(({ place }) => place),
      [`line ${deeds.length}`],
    );
    if (finder === 'document') assert.equal(found.chain, []);
  });
}

test.run();
