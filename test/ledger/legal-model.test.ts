import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { canonicalText } from '../../shared/hash/canonical.ts';
import type { LedgerEvent } from '../../shared/ledger/events.ts';
import { Verifier } from '../../shared/ledger/verify.ts';
import { suite } from '../harness/suite.ts';
import { histories } from './arbitrary.ts';
import { chained, deedsOf, tampered } from './histories.ts';
import { firstIllegal } from './naive-model.ts';

/** How many of each; `ISOMORPH_HISTORIES=10000` by hand. */
const HISTORIES = Number(process.env.ISOMORPH_HISTORIES ?? 1_000);

const test = suite('what is legal, by two models', undefined, { timeoutMs: 600_000 });

/** The place of the first finding, from 0, as a verifier of an export tells it. */
function firstFinding(events: readonly LedgerEvent[]): number | undefined {
  const verifier = new Verifier();
  for (const event of events) verifier.line(canonicalText(event), `line ${event.seq}`);
  const [first] = verifier.verdict().findings;
  if (first === undefined) return undefined;
  assert.is(first.code, 'ERR_COMMIT_INVALID', first.message);
  return Number(first.seq) - 1;
}

test(`${HISTORIES} legal histories are accepted, by both`, () => {
  fc.assert(
    fc.property(histories(60), ({ events }) => {
      assert.is(firstFinding(events), undefined);
      assert.is(firstIllegal(events), undefined);
    }),
    { numRuns: HISTORIES },
  );
});

test(`${HISTORIES} histories with an illegal step, hashed again, are found at its place, by both`, () => {
  const found = new Map<string, number>();
  const telling = fc.tuple(histories(60), fc.nat(4), fc.noBias(fc.nat(1_000)), fc.noBias(fc.nat(1_000)));
  fc.assert(
    fc.property(telling, ([{ planId, events }, how, at, n]) => {
      const forged = chained(planId, tampered(deedsOf(events), how, at, n));
      const place = firstIllegal(forged);
      assert.is(firstFinding(forged), place);
      // What is told otherwise and still can be counts for nothing.
      fc.pre(place !== undefined);
      const kind = forged[place ?? 0]?.kind ?? '';
      found.set(kind, (found.get(kind) ?? 0) + 1);
    }),
    { numRuns: HISTORIES, maxSkipsPerRun: 1_000 },
  );
  assert.is(
    [...found.values()].reduce((sum, count) => sum + count, 0),
    HISTORIES,
  );
});

test.run();
