/** The table and the naive model say the same of every history: run in CI a little, by `npm run fuzz` for as long as one likes. */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { canonicalText } from '../../shared/hash/canonical.ts';
import type { LedgerEvent } from '../../shared/ledger/events.ts';
import { Verifier } from '../../shared/ledger/verify.ts';
import { histories } from './arbitrary.ts';
import { chained, deedsOf, tampered } from './histories.ts';
import { firstIllegal } from './naive-model.ts';

/** The place of the first finding, from 0, as a verifier of an export tells it. */
function firstFinding(events: readonly LedgerEvent[]): number | undefined {
  const verifier = new Verifier();
  for (const event of events) verifier.line(canonicalText(event), `line ${event.seq}`);
  const [first] = verifier.verdict().findings;
  if (first === undefined) return undefined;
  assert.is(first.code, 'ERR_COMMIT_INVALID', first.message);
  return Number(first.seq) - 1;
}

export const legalHistories = fc.property(histories(60), ({ events }) => {
  assert.is(firstFinding(events), undefined);
  assert.is(firstIllegal(events), undefined);
});

const telling = fc.tuple(histories(60), fc.nat(4), fc.noBias(fc.nat(1_000)), fc.noBias(fc.nat(1_000)));

/** Every run has an illegal step: what is told otherwise and still can be counts for nothing. */
export const illegalHistories = fc.property(telling, ([{ planId, events }, how, at, n]) => {
  const forged = chained(planId, tampered(deedsOf(events), how, at, n));
  const place = firstIllegal(forged);
  assert.is(firstFinding(forged), place);
  fc.pre(place !== undefined);
});

/** Tellings that may be legal after all, for each that is not. */
export const TELLINGS = { maxSkipsPerRun: 1_000 } as const;
