import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { suite } from '../harness/suite.ts';
import { illegalHistories, legalHistories, TELLINGS } from './legal-properties.ts';

/** How many of each; 10,000 by hand: `npm run fuzz -- histories`. */
const HISTORIES = Number(process.env.ISOMORPH_HISTORIES ?? 1_000);

const test = suite('what is legal, by two models', undefined, { timeoutMs: 600_000 });

test(`${HISTORIES} legal histories are accepted, by both`, () => {
  fc.assert(legalHistories, { numRuns: HISTORIES });
});

test(`${HISTORIES} histories with an illegal step, hashed again, are found at its place, by both`, () => {
  const { failed, numRuns } = fc.check(illegalHistories, { numRuns: HISTORIES, ...TELLINGS });
  if (failed) fc.assert(illegalHistories, { numRuns: HISTORIES, ...TELLINGS });
  assert.is(numRuns, HISTORIES);
});

test.run();
