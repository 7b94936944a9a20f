import * as assert from 'uvu/assert';
import { decide, plansOf } from '../../services/projector/decide.ts';
import { cidOf } from '../../shared/hash/cid.ts';
import { EMPTY_HEAD, encodeCommit, type Head, headOf } from '../../shared/ledger/chain.ts';
import { hashEvent } from '../../shared/ledger/envelope.ts';
import type { Draft, LedgerEvent } from '../../shared/ledger/events.ts';
import { fold } from '../../shared/ledger/evolve.ts';
import type { StoredMessage } from '../../shared/nats/read.ts';
import { commitSubject } from '../../shared/wire/ledger.ts';
import { suite } from '../harness/suite.ts';
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

const sealed = (planId: string, head: Head, ...drafts: Draft[]): LedgerEvent[] =>
  sealedByWriters(planId, head, drafts, NOW_MS);

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
    decision.events.map(({ streamSeq, indexInCommit, event }) => [streamSeq, indexInCommit, event.plan_id, event.seq]),
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
  assert.equal(decision.states.get('a'), fold('a', [...a, ...more]));
  assert.is(decision.position, 9);
  assert.is(decision.broken, undefined);
});

test('goes on from known states, and leaves them as they are', () => {
  const a = sealed('a', EMPTY_HEAD, SUBMITTED, ADMITTED);
  const before = new Map([['a', fold('a', a)]]);
  const decision = decide(before, messagesOf(3, sealed('a', lastHead(a), CANCEL)));
  assert.is(decision.states.get('a')?.head.seq, 3);
  assert.is(before.get('a')?.head.seq, 2);
});

const isBroken = (what: string, make: (a: LedgerEvent[], b: LedgerEvent[]) => LedgerEvent[], field: string) =>
  test(`a ${what} breaks at its place; what is in front of it is taken in, of every plan`, () => {
    const a = sealed('a', EMPTY_HEAD, SUBMITTED, ADMITTED);
    const b = sealed('b', EMPTY_HEAD, SUBMITTED);
    const bad = make(a, b);
    const messages = messagesOf(1, a, b, bad, sealed('c', EMPTY_HEAD, SUBMITTED));
    const { broken, position, states, events } = decide(new Map(), messages);
    assert.equal([broken?.planId, broken?.streamSeq, broken?.error.code], ['a', 3, 'ERR_CHAIN_BROKEN']);
    assert.is(broken?.error.place.pointer, field);
    assert.is(position, 2);
    assert.equal([...states.keys()], ['a', 'b']);
    assert.is(events.length, 3);
  });

isBroken('gap', (a) => sealed('a', { ...lastHead(a), seq: 3 }, CANCEL), '/seq');
isBroken('repeated commit', (a) => a, '/seq');
isBroken(
  'link to another event',
  (a) => sealed('a', { ...lastHead(a), hash: a[0]?.this_hash ?? null }, CANCEL),
  '/prev_hash',
);
test('a message whose event does not hash to what it says is foreign', () => {
  const a = sealed('a', EMPTY_HEAD, SUBMITTED, ADMITTED);
  const changed = sealed('a', lastHead(a), CANCEL).map((event) => ({ ...event, by: 'settler' as const }));
  const { broken, foreign, position } = decide(new Map(), messagesOf(1, a, changed));
  assert.equal([broken, position], [undefined, 2]);
  assert.equal(
    foreign.map(({ seq }) => seq),
    [2],
  );
});

isBroken(
  'clock that ran back',
  (a) =>
    sealed('a', lastHead(a), CANCEL).map((event) => {
      const early = { ...event, ts: '2020-01-01T00:00:00.000Z' };
      return { ...early, this_hash: hashEvent(early) };
    }),
  '/ts',
);
isBroken(
  'second event of a commit that does not follow',
  (a) => {
    const [good, bad] = sealed('a', lastHead(a), CANCEL, CANCEL);
    const astray = bad && { ...bad, prev_hash: null };
    return good && astray ? [good, { ...astray, this_hash: hashEvent(astray) }] : [];
  },
  '/prev_hash',
);

test('an event that is linked well but illegal breaks too: the budget and the lifecycle are part of the ledger', () => {
  const a = sealed('a', EMPTY_HEAD, SUBMITTED, ADMITTED);
  const good = sealed('a', lastHead(a), reserve('a.s.1', 60));
  const over = sealed('a', lastHead(good), reserve('a.t.1', 60));
  const after = sealed('a', lastHead(over), CANCEL);
  const b = sealed('b', EMPTY_HEAD, SUBMITTED, ADMITTED);
  const late = sealed('b', lastHead(b), SETTLED, CANCEL);
  const decision = decide(new Map(), messagesOf(1, a, b, good, over, after, late));
  assert.equal([decision.broken?.planId, decision.broken?.seq, decision.broken?.streamSeq], ['a', 4, 4]);
  assert.is(decision.broken?.error.code, 'ERR_COMMIT_INVALID');
  assert.is(decision.position, 3);
  assert.is(decision.states.get('a')?.budget.held, 60);
  const first = decide(new Map(), messagesOf(1, a, b, late, good, over));
  assert.equal(
    [first.broken?.planId, first.broken?.streamSeq, first.position],
    ['b', 3, 2],
    'the first of two is told',
  );
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
  assert.equal([decision.position, decision.events.length, decision.broken], [7, 1, undefined]);
  const only = decide(new Map(), foreign);
  assert.equal([only.position, only.events.length, only.states.size], [6, 0, 0]);
});

test('a break in front of everything leaves the position where it was', () => {
  const decision = decide(new Map(), messagesOf(9, sealed('a', { seq: 4, hash: null, ts: null }, CANCEL)));
  assert.is(decision.position, undefined);
  assert.is(decision.broken?.streamSeq, 9);
});

test.run();
