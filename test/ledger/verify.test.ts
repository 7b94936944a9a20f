import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { canonicalText } from '../../shared/hash/canonical.ts';
import { headOf, seal } from '../../shared/ledger/chain.ts';
import { decodeText, hashEvent, parseLine } from '../../shared/ledger/envelope.ts';
import type { LedgerEvent } from '../../shared/ledger/events.ts';
import { type Verdict, Verifier } from '../../shared/ledger/verify.ts';
import { suite } from '../harness/suite.ts';
import { completeHistories, historyOf } from './arbitrary.ts';
import { admittedChain, type Chain, scheduled, settled, started } from './plan-history.ts';

const test = suite('ledger verifier');

const linesOf = ({ events }: Chain): string[] => events.map((event) => canonicalText(event));

const bytesOf = (lines: readonly string[]): Buffer => Buffer.from(lines.map((line) => `${line}\n`).join(''));

/** An export as `isomorph ledger verify` reads one. */
function verify(bytes: Buffer): Verdict {
  const verifier = new Verifier();
  let number = 0;
  for (let start = 0; start < bytes.byteLength; ) {
    const end = bytes.indexOf(0x0a, start);
    const line = bytes.subarray(start, end < 0 ? bytes.byteLength : end);
    number += 1;
    try {
      verifier.line(decodeText(line), `line ${number}`);
    } catch (error) {
      verifier.report(error, `line ${number}`);
    }
    start += line.byteLength + 1;
  }
  return verifier.verdict();
}

const verifyLines = (lines: readonly string[]): Verdict => verify(bytesOf(lines));
const firstPlace = ({ findings }: Verdict): string | undefined => findings[0]?.place;

test('every legal history verifies, and the verdict tells its head and its end', () => {
  fc.assert(
    fc.property(completeHistories(), (chain) => {
      const { findings, events, plans } = verifyLines(linesOf(chain));
      const { phase, head } = chain.state;
      assert.equal(findings, []);
      assert.is(events, chain.events.length);
      assert.equal(plans, [
        { planId: 'plan', events, headHash: head.hash, phase, complete: true, standing: { kind: 'known' } },
      ]);
    }),
    { numRuns: 50 },
  );
});

test('every change of every byte of an export is found at its line', () => {
  // Submitted and rejected: short enough to try them all.
  const lines = linesOf(historyOf('plan', [7]));
  assert.is(lines.length, 2);
  const bytes = bytesOf(lines);
  let line = 1;
  for (const [at, original] of bytes.entries()) {
    const isLast = at === bytes.byteLength - 1;
    // The lowest bit; the case of a letter; no ASCII. The last line feed may be missing, but nothing may stand for it.
    for (const flip of [0x01, 0x20, 0x80]) {
      bytes[at] = original ^ flip;
      const place = firstPlace(verify(bytes));
      bytes[at] = original;
      assert.is(place, `line ${line}`, `byte ${at} ^ ${flip}${isLast ? ', the last one' : ''}`);
    }
    if (original === 0x0a) line += 1;
  }
});

test('any byte of any history, changed to any other, is found at its line', () => {
  fc.assert(
    fc.property(completeHistories(12), fc.nat(), fc.integer({ min: 1, max: 255 }), (chain, position, flip) => {
      const bytes = bytesOf(linesOf(chain));
      const at = position % bytes.byteLength;
      const line = bytes.subarray(0, at).filter((byte) => byte === 0x0a).byteLength + 1;
      bytes[at] = (bytes[at] ?? 0) ^ flip;
      assert.is(firstPlace(verify(bytes)), `line ${line}`);
    }),
    { numRuns: 200 },
  );
});

test('a dropped event is found where it is missing; a cut-off end makes the chain incomplete', () => {
  fc.assert(
    fc.property(completeHistories(12), fc.nat(), (chain, which) => {
      const lines = linesOf(chain);
      const at = which % lines.length;
      const verdict = verifyLines(lines.toSpliced(at, 1));
      if (at < lines.length - 1) assert.is(firstPlace(verdict), `line ${at + 1}`);
      else assert.equal([verdict.findings, verdict.plans[0]?.complete], [[], false]);
    }),
    { numRuns: 100 },
  );
});

test('two swapped events are found at the first of them', () => {
  fc.assert(
    fc.property(completeHistories(12), fc.nat(), fc.nat(), (chain, one, other) => {
      const lines = linesOf(chain);
      const [low, high] = [one % lines.length, other % lines.length].sort((a, b) => a - b) as [number, number];
      fc.pre(low !== high);
      const swapped = lines.with(low, lines[high] ?? '').with(high, lines[low] ?? '');
      assert.is(firstPlace(verifyLines(swapped)), `line ${low + 1}`);
    }),
    { numRuns: 100 },
  );
});

test('a duplicate, or an earlier event of the same plan, is found where it was put in', () => {
  fc.assert(
    fc.property(completeHistories(12), fc.nat(), fc.nat(), (chain, which, where) => {
      const lines = linesOf(chain);
      const at = 1 + (where % lines.length);
      const spliced = lines.toSpliced(at, 0, lines[which % at] ?? '');
      const { findings } = verifyLines(spliced);
      assert.is(findings[0]?.place, `line ${at + 1}`);
      assert.is(findings[0]?.code, 'ERR_CHAIN_BROKEN');
    }),
    { numRuns: 100 },
  );
});

test('an event of another plan is found where it was put in, under its own name and under this one', () => {
  const foreign = historyOf('other', [64, 65, 66, 67, 68, 69], true).events;
  fc.assert(
    fc.property(completeHistories(12), fc.nat(), fc.nat(), (chain, which, where) => {
      const lines = linesOf(chain);
      const at = where % (lines.length + 1);
      const event = foreign[1 + (which % (foreign.length - 1))] as LedgerEvent;
      assert.is(firstPlace(verifyLines(lines.toSpliced(at, 0, canonicalText(event)))), `line ${at + 1}`);
      const renamed = { ...event, plan_id: 'plan' };
      const forged = canonicalText({ ...renamed, this_hash: hashEvent(renamed as LedgerEvent) });
      assert.is(firstPlace(verifyLines(lines.toSpliced(at, 0, forged))), `line ${at + 1}`);
    }),
    { numRuns: 100 },
  );
});

test('the first event of another plan begins a chain that does not end', () => {
  const [first] = linesOf(admittedChain('other'));
  const lines = linesOf(historyOf('plan', [], true));
  const { findings, plans } = verifyLines(lines.toSpliced(1, 0, first ?? ''));
  assert.equal(findings, []);
  assert.equal(
    plans.map(({ planId, complete }) => [planId, complete]),
    [
      ['plan', true],
      ['other', false],
    ],
  );
});

test('a forged event that was hashed again breaks the link behind it, or changes the head', () => {
  fc.assert(
    fc.property(completeHistories(12), fc.nat(), (chain, which) => {
      const { events } = chain;
      const at = which % events.length;
      const event = events[at] as LedgerEvent;
      const forged = { ...event, ts: '2026-11-22T07:59:59.999Z' };
      const line = canonicalText({ ...forged, this_hash: hashEvent(forged) });
      const verdict = verifyLines(linesOf(chain).with(at, line));
      // Of the first event time may be any: there the link behind it breaks.
      assert.is(firstPlace(verdict), `line ${at === 0 ? 2 : at + 1}`);
      if (at === events.length - 1) assert.is.not(verdict.plans[0]?.headHash, chain.state.head.hash);
    }),
    { numRuns: 100 },
  );
});

test('a well-linked chain with an illegal transition is found, and told once', () => {
  const chain = admittedChain('plan', 100).append('dispatcher', scheduled('plan', 'fetch', 1, 60));
  const overspent = [...scheduled('plan', 'train', 1, 50), started('plan.train.1'), settled('succeeded', 0)];
  const forged = seal(chain.state.head, overspent, { planId: 'plan', by: 'dispatcher', nowMs: Date.now() });
  const { findings, plans } = verifyLines([...linesOf(chain), ...forged.map((event) => canonicalText(event))]);
  assert.equal(
    findings.map(({ place, code, seq }) => [place, code, seq]),
    [['line 5', 'ERR_COMMIT_INVALID', 5]],
  );
  assert.is(plans[0]?.phase, 'settled');
});

test('plans in one export are judged apart: a fault of one is no fault of another', () => {
  const [one, two] = [linesOf(historyOf('one', [0, 70, 140], true)), linesOf(historyOf('two', [0, 70, 140], true))];
  const mixed = one.flatMap((line, index) => [line, two[index] ?? '']).concat(two.slice(one.length));
  assert.equal(verifyLines(mixed).findings, []);
  const without = mixed.toSpliced(2, 1);
  const { findings } = verifyLines(without);
  assert.ok(findings.length > 0);
  assert.ok(findings.every(({ planId }) => planId === 'one'));
});

test('a message that is no event is told with its place, and hides nothing', () => {
  const lines = linesOf(historyOf('plan', [], true));
  const verdict = verifyLines(lines.toSpliced(1, 0, '{"kind":"plan.settled"}'));
  assert.equal(
    verdict.findings.map(({ place, code }) => [place, code]),
    [['line 2', 'ERR_NOT_AN_EVENT']],
  );
  assert.is(verdict.plans[0]?.complete, true);
});

test('what could not be told without the admitted document is said, until it was compared', () => {
  const verifier = new Verifier();
  for (const line of linesOf(admittedChain('plan'))) verifier.line(line, 'somewhere');
  for (const line of linesOf(historyOf('rejected', [7]))) verifier.line(line, 'somewhere');
  assert.equal(verifier.verdict().notChecked, [
    '1 plan against what was admitted: steps and their needs, retries, amounts, inputs, paths and predicates',
  ]);
  const finding = { place: 'line 1', planId: 'plan', seq: 1, code: 'ERR_X', message: 'odd', expected: undefined };
  verifier.audited('plan', [finding]);
  const { notChecked, findings } = verifier.verdict();
  assert.equal([notChecked, findings], [[], [finding]]);
});

/** Commits of the stream, as a verifier that reads one takes them: what it answers to each, and what it heard. */
function verifyCommits(commits: readonly (readonly LedgerEvent[])[]) {
  const heard: string[] = [];
  const verifier = new Verifier(({ event, place }) => heard.push(`${place}: ${event.kind}`));
  const taken = commits.map((events, index) =>
    verifier.commit(
      events.map((event) => parseLine(canonicalText(event))),
      `message ${index + 1}`,
    ),
  );
  return { taken, heard, verdict: verifier.verdict() };
}

test('a commit that does not link is told and is none of the chain, which goes on behind it', () => {
  const chain = admittedChain('plan', 100);
  const links = { planId: 'plan', by: 'dispatcher', nowMs: Date.now() } as const;
  const foreign = seal({ ...chain.state.head, seq: 9 }, scheduled('plan', 'fetch', 1, 60), links);
  const own = seal(chain.state.head, scheduled('plan', 'fetch', 1, 60), links);
  const { taken, heard, verdict } = verifyCommits([chain.events, foreign, own, []]);
  assert.equal(taken, [true, false, true, false]);
  assert.equal(heard.slice(-2), ['message 3: budget.reserved', 'message 3: execution.scheduled']);
  assert.equal(
    verdict.findings.map(({ place, planId, seq, code }) => [place, planId, seq, code]),
    [['message 2', 'plan', 10, 'ERR_CHAIN_BROKEN']],
  );
  assert.equal([verdict.events, verdict.plans[0]?.events], [4, 4]);
});

test('an illegal commit is told once, at its first illegal event; what follows it is heard no more', () => {
  const chain = admittedChain('plan', 100);
  const links = { planId: 'plan', by: 'dispatcher', nowMs: Date.now() } as const;
  const illegal = seal(chain.state.head, [...scheduled('plan', 'fetch', 1, 60), started('plan.train.1')], links);
  const after = seal(headOf(illegal.at(-1) as LedgerEvent), [started('plan.fetch.1')], links);
  const { taken, heard, verdict } = verifyCommits([chain.events, illegal, after]);
  assert.equal(taken, [true, true, true]);
  assert.is(
    heard.some((told) => told.includes('execution.started')),
    false,
  );
  assert.equal(
    verdict.findings.map(({ place, seq, code }) => [place, seq, code]),
    [['message 2', 5, 'ERR_COMMIT_INVALID']],
  );
  assert.is(verdict.plans[0]?.standing.kind, 'quarantined');
});

test.run();
