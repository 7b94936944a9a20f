import * as assert from 'uvu/assert';
import { decide, plansOf } from '../../services/projector/decide.ts';
import { cidOf } from '../../shared/hash/cid.ts';
import { EMPTY_HEAD, encodeCommit, type Head, headOf } from '../../shared/ledger/chain.ts';
import { hashEvent } from '../../shared/ledger/envelope.ts';
import type { Draft, LedgerEvent } from '../../shared/ledger/events.ts';
import { fold } from '../../shared/ledger/evolve.ts';
import { knownReading } from '../../shared/ledger/reading.ts';
import { emptyState } from '../../shared/ledger/state.ts';
import type { StoredMessage } from '../../shared/nats/read.ts';
import { commitSubject } from '../../shared/wire/ledger.ts';
import { suite } from '../harness/suite.ts';
import { plain } from '../ledger/plain.ts';
import { sealedByWriters } from '../ledger/plan-history.ts';

const test = suite('projector decide');

const NOW_MS = Date.parse('2026-11-22T08:00:00.000Z');

const SUBMITTED: Draft = {
  kind: 'plan.submitted',
  data: {
    plan_path: '/artifacts/plans/p.json',
    plan_cid: cidOf('plan'),
    bytes: 4,
    principal: 'anonymous',
    command_seq: 1,
  },
};
const ADMITTED: Draft = {
  kind: 'plan.admitted',
  data: {
    admitted_path: '/artifacts/plans/a.json',
    admitted_cid: cidOf('admitted'),
    policy: 'default',
    steps: 1,
    budget_limit_usd_micro: 100,
    deadline: '2026-11-23T08:00:00.000Z',
    predicates: 0,
    timeout_s: 86_400,
  },
};
const CANCEL: Draft = { kind: 'plan.cancel_requested', data: { reason: 'client' } };
const SETTLED: Draft = { kind: 'plan.settled', data: { status: 'failed', spent_usd_micro: 0, faults: [] } };
const reserve = (id: string, amount: number): Draft => ({
  kind: 'budget.reserved',
  data: { execution_id: id, usd_micro: amount },
});

/** In the folder of whichever plan it is. */
const inFolderOf = (planId: string, { kind, data }: Draft): Draft =>
  JSON.parse(JSON.stringify({ kind, data }).replace('/artifacts/plans/', `/artifacts/plans/${planId}/`));

const sealed = (planId: string, head: Head, ...drafts: Draft[]): LedgerEvent[] =>
  sealedByWriters(
    planId,
    head,
    drafts.map((draft) => inFolderOf(planId, draft)),
    NOW_MS,
  );

/** Commits as messages of a stream, in order, from sequence `from`. */
function messagesOf(from: number, ...commits: readonly LedgerEvent[][]): StoredMessage[] {
  return commits.map((events, index) => {
    const [last] = events.slice(-1);
    assert.ok(last);
    return { seq: from + index, subject: commitSubject(last), data: encodeCommit(events), storedAt: '' };
  });
}

const lastHead = (events: readonly LedgerEvent[]): Head => {
  const [last] = events.slice(-1);
  return last === undefined ? EMPTY_HEAD : headOf(last);
};

test('takes in commits of several plans, with exact lines and the place of each event', () => {
  const a = sealed('a', EMPTY_HEAD, SUBMITTED, ADMITTED);
  const b = sealed('b', EMPTY_HEAD, SUBMITTED);
  const more = sealed('a', lastHead(a), CANCEL);
  const messages = messagesOf(7, a, b, more);
  assert.equal(plansOf(messages), ['a', 'b']);
  const decision = decide(new Map(), messages);
  assert.equal(
    decision.events.map(({ streamSeq, indexInCommit, raw }) => [streamSeq, indexInCommit, raw.plan_id, raw.seq]),
    [
      [7, 0, 'a', 1],
      [7, 1, 'a', 2],
      [8, 0, 'b', 1],
      [9, 0, 'a', 3],
    ],
  );
  assert.is(
    decision.events.map(({ line }) => line).join('\n'),
    messages.map(({ data }) => `${Buffer.from(data)}`).join('\n'),
  );
  assert.equal(plain(decision.readings.get('a')?.state ?? emptyState('a')), plain(fold('a', [...a, ...more])));
  assert.is(decision.position, 9);
  assert.equal([decision.halted, decision.foreign], [[], []]);
});

test('goes on from known states, and leaves them as they are', () => {
  const a = sealed('a', EMPTY_HEAD, SUBMITTED, ADMITTED);
  const before = new Map([['a', knownReading(fold('a', a))]]);
  const decision = decide(before, messagesOf(3, sealed('a', lastHead(a), CANCEL)));
  assert.is(decision.readings.get('a')?.state.head.seq, 3);
  assert.is(before.get('a')?.state.head.seq, 2);
});

const isForeign = (what: string, make: (a: LedgerEvent[], b: LedgerEvent[]) => LedgerEvent[], field: string) =>
  test(`a ${what} is none of the chain: told at its place and passed over, and every plan goes on`, () => {
    const a = sealed('a', EMPTY_HEAD, SUBMITTED, ADMITTED);
    const b = sealed('b', EMPTY_HEAD, SUBMITTED);
    const messages = messagesOf(
      1,
      a,
      b,
      make(a, b),
      sealed('c', EMPTY_HEAD, SUBMITTED),
      sealed('a', lastHead(a), CANCEL),
    );
    const { halted, position, readings, events, foreign } = decide(new Map(), messages);
    assert.equal(
      foreign.map(({ seq }) => seq),
      [3],
    );
    assert.match(foreign[0]?.reason ?? '', field.slice(1));
    assert.equal([halted, position, events.length], [[], 5, 5]);
    assert.is(readings.get('a')?.state.head.seq, 3, 'the plan itself goes on too');
  });

isForeign('gap', (a) => sealed('a', { ...lastHead(a), seq: 3 }, CANCEL), '/seq');
isForeign('repeated commit', (a) => a, '/seq');
isForeign(
  'link to another event',
  (a) => sealed('a', { ...lastHead(a), hash: a[0]?.this_hash ?? null }, CANCEL),
  '/prev_hash',
);
test('a message whose event does not hash to what it says is foreign', () => {
  const a = sealed('a', EMPTY_HEAD, SUBMITTED, ADMITTED);
  const changed = sealed('a', lastHead(a), CANCEL).map((event) => ({ ...event, by: 'settler' as const }));
  const { halted, foreign, position } = decide(new Map(), messagesOf(1, a, changed));
  assert.equal([halted, position], [[], 2]);
  assert.equal(
    foreign.map(({ seq }) => seq),
    [2],
  );
});

isForeign(
  'clock that ran back',
  (a) =>
    sealed('a', lastHead(a), CANCEL).map((event) => {
      const early = { ...event, ts: '2020-01-01T00:00:00.000Z' };
      return { ...early, this_hash: hashEvent(early) };
    }),
  '/ts',
);
isForeign(
  'second event of a commit that does not follow',
  (a) => {
    const [good, bad] = sealed('a', lastHead(a), CANCEL, CANCEL);
    const astray = bad && { ...bad, prev_hash: null };
    return good && astray ? [good, { ...astray, this_hash: hashEvent(astray) }] : [];
  },
  '/prev_hash',
);

test('an event that is linked well but illegal quarantines its plan; its events are kept, and the others go on', () => {
  const a = sealed('a', EMPTY_HEAD, SUBMITTED, ADMITTED);
  const good = sealed('a', lastHead(a), reserve('a.s.1', 60));
  const over = sealed('a', lastHead(good), reserve('a.t.1', 60));
  const after = sealed('a', lastHead(over), CANCEL);
  const b = sealed('b', EMPTY_HEAD, SUBMITTED, ADMITTED);
  const decision = decide(new Map(), messagesOf(1, a, b, good, over, after, sealed('b', lastHead(b), SETTLED)));
  assert.equal(
    decision.halted.map(({ planId, streamSeq, standing }) => [planId, streamSeq, standing.kind, standing.seq]),
    [['a', 4, 'quarantined', 4]],
  );
  const reading = decision.readings.get('a');
  assert.equal([reading?.state.budget.held, reading?.state.head.seq, reading?.head.seq], [60, 3, 5]);
  assert.is(decision.readings.get('b')?.state.phase, 'settled');
  assert.equal([decision.position, decision.events.length], [6, 8]);
  const later = decide(decision.readings, messagesOf(7, sealed('a', lastHead(after), CANCEL)));
  assert.equal([later.halted, later.events.length], [[], 1], 'told once');
});

test('an event of a later version is kept and marks its plan; the others go on', () => {
  const a = sealed('a', EMPTY_HEAD, SUBMITTED, ADMITTED);
  const [known] = sealed('a', lastHead(a), CANCEL);
  const { this_hash: _, ...open } = { ...known, v: 9 } as LedgerEvent;
  const newer = { ...open, this_hash: hashEvent(open) } as LedgerEvent;
  const decision = decide(new Map(), messagesOf(1, a, [newer], sealed('b', EMPTY_HEAD, SUBMITTED)));
  assert.equal(
    decision.halted.map(({ planId, standing }) => [planId, standing.kind, standing.seq]),
    [['a', 'newer', 3]],
  );
  assert.equal([decision.events.length, decision.position, decision.foreign], [4, 3, []]);
});

test('foreign messages are told and passed over, even when nothing else is there', () => {
  const a = sealed('a', EMPTY_HEAD, SUBMITTED);
  const text = (seq: number, subject: string, body: string): StoredMessage => ({
    seq,
    subject,
    data: Buffer.from(body),
    storedAt: '',
  });
  const foreign = [
    text(1, 'ledger.a.plan.submitted', '{"stream":"LEDGER"}'),
    text(2, 'ledger.UPPER', ''),
    text(3, 'ledger.b.plan.submitted', `${Buffer.from(encodeCommit(a))}`),
    text(4, 'ledger.a.plan.submitted', `${Buffer.from(encodeCommit(a))} `),
    { ...text(5, 'ledger.a.x', ''), data: Uint8Array.of(0xff, 0xfe) },
    text(6, 'ledger.a.plan.submitted', '{"data":{"plan_path":"\\ud800"}}'),
  ];
  const decision = decide(new Map(), [...foreign, ...messagesOf(7, a)]);
  assert.equal(
    decision.foreign.map(({ seq }) => seq),
    [1, 2, 3, 4, 5, 6],
  );
  assert.ok(decision.foreign.every(({ reason }) => reason.length > 0));
  assert.equal([decision.position, decision.events.length, decision.halted], [7, 1, []]);
  const only = decide(new Map(), foreign);
  assert.equal([only.position, only.events.length, only.readings.size], [6, 0, 0]);
});

test.run();
