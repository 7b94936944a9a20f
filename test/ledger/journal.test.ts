import type { NatsConnection } from '@nats-io/transport-node';
import * as assert from 'uvu/assert';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { canonicalText } from '../../shared/hash/canonical.ts';
import { Journal } from '../../shared/journal/journal.ts';
import type { ForeignMessage, Snapshot } from '../../shared/journal/snapshot.ts';
import { encodeCommit, seal } from '../../shared/ledger/chain.ts';
import { type Decision, NOTHING } from '../../shared/ledger/decider.ts';
import { hashEvent, type RawEvent } from '../../shared/ledger/envelope.ts';
import type { Draft } from '../../shared/ledger/events.ts';
import type { PlanState } from '../../shared/ledger/state.ts';
import { publish } from '../../shared/nats/publish.ts';
import { readStream, type StoredMessage } from '../../shared/nats/read.ts';
import { suite } from '../harness/suite.ts';
import { type Live, withLive } from './live.ts';
import { admit, factsOf, journalOn, messagesOf, PLAN, recordOnce, sorted, verifiedEvents } from './live-journal.ts';
import { admitted, cancelRequested, fact, START_MS, settled, submitted } from './plan-history.ts';

const test = suite('ledger journal');

const live = (title: string, use: (server: Live) => Promise<void>): void => test(title, () => withLive(use));

async function codeOf(act: Promise<unknown>): Promise<string> {
  try {
    await act;
  } catch (error) {
    assert.instance(error, IsomorphError);
    return (error as IsomorphError).code;
  }
  return 'nothing was refused';
}

live('20 writers that race on one plan record all their facts, each once', async (server) => {
  const connection = await server.connect();
  await admit(connection);
  const writers = Array.from({ length: 20 }, () => journalOn(connection));
  const writes = writers.flatMap((journal, writer) =>
    [0, 1, 2].map((turn) => journal.append(PLAN, recordOnce(writer * 3 + turn))),
  );
  const appended = await Promise.all(writes);
  const events = await verifiedEvents(connection);
  assert.equal(sorted(factsOf(events)), sorted(Array.from({ length: 60 }, (_, index) => `f${index}`)));
  // What each call says it wrote is what the ledger has.
  assert.equal(
    sorted(appended.flatMap((one) => one.events.map(({ this_hash: hash }) => hash))),
    sorted(events.slice(2).map(({ this_hash: hash }) => hash)),
  );
});

live('writers that race for the same decision make it once', async (server) => {
  const connection = await server.connect();
  // The same clock: two of them decide on the very same bytes, and still only one has written them.
  const writers = Array.from({ length: 8 }, () => new Journal({ connection, by: 'admission', nowMs: () => START_MS }));
  const appended = await Promise.all(
    writers.map((journal) =>
      journal.append(PLAN, ({ phase }) =>
        phase === 'absent'
          ? { first: true, drafts: [submitted(PLAN), admitted(PLAN, 5)] }
          : { first: false, drafts: [] },
      ),
    ),
  );
  assert.equal(appended.map(({ events }) => events.length).sort(), [0, 0, 0, 0, 0, 0, 0, 2]);
  // What a caller is told was decided is what counts, not what it decided before it lost its race.
  assert.ok(appended.every(({ decision, events }) => decision.first === (events.length === 2)));
  assert.ok(appended.every(({ state }) => state.phase === 'admitted'));
  assert.is((await verifiedEvents(connection)).length, 2);
});

live('plans do not stand in each other’s way: their chains are apart', async (server) => {
  const connection = await server.connect();
  const plans = Array.from({ length: 10 }, (_, index) => `plan-${index}`);
  await Promise.all(plans.map((planId) => admit(connection, planId)));
  const settler = new Journal({ connection, by: 'settler' });
  await Promise.all(plans.map((planId) => settler.append(planId, () => ({ drafts: [settled('failed', 0)] }))));
  for (const planId of plans) assert.is((await verifiedEvents(connection, planId)).length, 3);
});

live('messages that are no event of the plan are told once each, and nothing breaks', async (server) => {
  const connection = await server.connect();
  await admit(connection);
  const foreign: ForeignMessage[] = [];
  const journal = new Journal({ connection, by: 'sampler', onForeign: (message) => foreign.push(message) });
  await journal.append(PLAN, recordOnce(1));
  const otherPlan = seal({ seq: 0, hash: null, ts: null }, [submitted('other')], {
    planId: 'other',
    by: 'admission',
    nowMs: 0,
  });
  await publish(connection, `ledger.${PLAN}.junk`, 'no event');
  await publish(connection, `ledger.${PLAN}.plan.submitted`, encodeCommit(otherPlan));
  await journal.append(PLAN, recordOnce(2));
  await publish(connection, `ledger.${PLAN}.plan.settled`, new Uint8Array([0xff, 0xfe]));
  const { state } = await journal.append(PLAN, recordOnce(3));
  assert.equal(sorted(state.facts), ['f1', 'f2', 'f3']);
  assert.equal(
    foreign.map(({ subject }) => subject),
    [`ledger.${PLAN}.junk`, `ledger.${PLAN}.plan.submitted`, `ledger.${PLAN}.plan.settled`],
  );
});

live('an empty message is foreign like any other, and hides nothing behind it', async (server) => {
  const connection = await server.connect();
  await admit(connection);
  await publish(connection, `ledger.${PLAN}`, new Uint8Array());
  await publish(connection, `ledger.${PLAN}.plan.settled`, new Uint8Array());
  await journalOn(connection).append(PLAN, recordOnce(1));
  const foreign: ForeignMessage[] = [];
  const reader = new Journal({ connection, by: undefined, onForeign: (message) => foreign.push(message) });
  assert.equal(sorted((await reader.load(PLAN)).state.facts), ['f1']);
  assert.equal(
    foreign.map(({ seq }) => seq),
    [3],
  );
  const whole = [];
  for await (const { seq } of readStream(connection, { stream: 'LEDGER', filter: 'ledger.>', fromSeq: 1 }))
    whole.push(seq);
  assert.equal(whole, [1, 2, 3, 4]);
});

/** An event behind the head, well linked, its fields changed by hand. */
function behind(head: Snapshot['head'], draft: Draft, change: Record<string, unknown> = {}): RawEvent {
  const [event] = seal(head, [draft], { planId: PLAN, by: 'admission', nowMs: Date.now() });
  const { this_hash: _, ...open } = { ...event, ...change } as RawEvent;
  return { ...open, this_hash: hashEvent(open) };
}

const store = (connection: NatsConnection, raw: RawEvent) =>
  publish(connection, `ledger.${PLAN}.${raw.kind}`, canonicalText(raw));

live('an event that does not link is passed over by whoever reads or appends, and told once', async (server) => {
  const connection = await server.connect();
  const { head } = await admit(connection);
  const fork = behind({ ...head, hash: `blake3:${'0'.repeat(64)}` }, cancelRequested('client'));
  const { seq } = await store(connection, fork);
  const foreign: ForeignMessage[] = [];
  const journal = new Journal({ connection, by: 'sampler', onForeign: (message) => foreign.push(message) });
  const read = await journal.load(PLAN);
  assert.is(read.state.cancelRequested, undefined);
  assert.equal([...read.foreign], [seq]);
  const { events } = await journal.append(PLAN, recordOnce(1));
  assert.is(events[0]?.prev_hash, head.hash, 'the chain goes on behind its head');
  await journal.load(PLAN, seq);
  assert.equal(
    foreign.map((message) => message.seq),
    [seq],
  );
});

for (const [what, change] of [
  ['a kind', { kind: 'plan.paused' }],
  ['a version of a kind', { v: 9, data: { reason: 'client', note: 'later' } }],
  ['a writer', { by: 'notary' }],
] as const) {
  live(`behind ${what} of a later version nothing is written, and readers go on`, async (server) => {
    const connection = await server.connect();
    const { head } = await admit(connection);
    const journal = journalOn(connection);
    // It has the plan in its cache: the conflict of compare-and-set brings it to look.
    await journal.load(PLAN);
    const newer = behind(head, cancelRequested('client'), change);
    const { seq } = await store(connection, newer);
    assert.is(await codeOf(journal.append(PLAN, recordOnce(1))), 'ERR_VERSION');
    assert.is(await codeOf(journalOn(connection).load(PLAN)), 'ERR_VERSION');
    const read = await new Journal({ connection, by: undefined }).read(PLAN);
    assert.equal([read.standing.kind, read.head.seq, read.head.hash], ['newer', 3, newer.this_hash]);
    assert.is(read.state.head.seq, 2);
    assert.equal((await messagesOf(connection)).at(-1)?.seq, seq, 'nothing was written behind it');
  });
}

live('a plan with an illegal event gets no event any more, and others go on', async (server) => {
  const connection = await server.connect();
  const { head } = await admit(connection);
  const { seq } = await store(connection, behind(head, settled('succeeded', 7)));
  const journal = journalOn(connection);
  assert.is(await codeOf(journal.append(PLAN, recordOnce(1))), 'ERR_QUARANTINED');
  assert.is(await codeOf(journal.load(PLAN)), 'ERR_QUARANTINED');
  await admit(connection, 'other');
  const { standing } = await journal.read(PLAN);
  assert.is(standing.kind, 'quarantined');
  assert.is((await messagesOf(connection)).at(-1)?.seq, seq);
});

live('a known version with one field more is illegal, not newer', async (server) => {
  const connection = await server.connect();
  const { head } = await admit(connection);
  await store(connection, behind(head, cancelRequested('client'), { data: { reason: 'client', note: 'x' } }));
  assert.is(await codeOf(journalOn(connection).append(PLAN, recordOnce(1))), 'ERR_QUARANTINED');
});

live('an illegal commit is refused before anything is written', async (server) => {
  const connection = await server.connect();
  const journal = journalOn(connection);
  await admit(connection);
  assert.is(await codeOf(journal.append(PLAN, () => ({ drafts: [fact(1), fact(1)] }))), 'ERR_COMMIT_INVALID');
  const large = Array.from({ length: 4_000 }, (_, index) => fact(6 * index));
  assert.is(await codeOf(journal.append(PLAN, () => ({ drafts: large }))), 'ERR_TOO_LARGE');
  assert.is((await verifiedEvents(connection)).length, 2);
  const reader = new Journal({ connection, by: undefined });
  assert.is(await codeOf(reader.append(PLAN, recordOnce(1))), 'ERR_INTERNAL');
});

live('what was passed over by what was shown is told when it is looked at again, once', async (server) => {
  const connection = await server.connect();
  const { head } = await admit(connection);
  const { seq } = await store(
    connection,
    behind({ ...head, hash: `blake3:${'0'.repeat(64)}` }, cancelRequested('client')),
  );
  await journalOn(connection).append(PLAN, recordOnce(1));
  const [first, , last] = (await messagesOf(connection)) as [StoredMessage, StoredMessage, StoredMessage];
  const foreign: number[] = [];
  const journal = new Journal({ connection, by: 'sampler', onForeign: (message) => foreign.push(message.seq) });
  for (const message of [first, last]) journal.observe(PLAN, message);
  assert.not.ok((await journal.load(PLAN, seq)).foreign.has(seq), 'it was not passed over');
  for (const _ of ['told', 'told already']) assert.ok((await journal.loadAgain(PLAN, seq)).foreign.has(seq));
  assert.equal(foreign, [seq]);
});

live('who writes the very bytes that another has written is not told that they are his', async (server) => {
  const connection = await server.connect();
  const [first, second] = ['first', 'second'].map(
    () => new Journal({ connection, by: 'admission', nowMs: () => START_MS }),
  ) as [Journal, Journal];
  await second.load(PLAN);
  const submit = ({ phase }: PlanState): Decision =>
    phase === 'absent' ? { drafts: [submitted(PLAN), admitted(PLAN, 5)] } : NOTHING;
  assert.is((await first.append(PLAN, submit)).events.length, 2);
  assert.is((await second.append(PLAN, submit)).events.length, 0);
});

live('a snapshot is as new as it was asked to be', async (server) => {
  const connection = await server.connect();
  const [writer, reader] = [journalOn(connection), journalOn(connection)];
  await admit(connection);
  const before = await reader.load(PLAN);
  const { lastSeq } = await writer.append(PLAN, recordOnce(1));
  assert.is((await reader.load(PLAN)).lastSeq, before.lastSeq, 'read again without need');
  const after = await reader.load(PLAN, lastSeq);
  assert.equal([after.lastSeq, sorted(after.state.facts)], [lastSeq, ['f1']]);
  assert.equal(before.state.facts.size, 0);
  assert.equal((await reader.load('unheard-of')).state.phase, 'absent');
});

live('a plan is followed by what a consumer delivers, without reading', async (server) => {
  const connection = await server.connect();
  const writer = journalOn(connection);
  await admit(connection);
  for (const number of [1, 2, 3]) await writer.append(PLAN, recordOnce(number));
  const [first, second, third, fourth] = (await messagesOf(connection)) as [
    StoredMessage,
    StoredMessage,
    StoredMessage,
    StoredMessage,
  ];
  // A connection that is closed cannot read: what it knows comes from what it was shown.
  const closed = await server.connect();
  await closed.close();
  const follower = journalOn(closed);
  assert.is(follower.observe(PLAN, first)?.length, 2);
  assert.is(follower.observe(PLAN, second)?.length, 1);
  assert.equal(sorted((await follower.load(PLAN, second.seq)).state.facts), ['f1']);
  // Delivered again, and out of order: nothing changes, and nothing is taken that does not follow.
  follower.observe(PLAN, first);
  follower.observe(PLAN, fourth);
  assert.equal((await follower.load(PLAN)).lastSeq, second.seq);
  follower.observe(PLAN, third);
  follower.observe(PLAN, fourth);
  assert.equal(sorted((await follower.load(PLAN, fourth.seq)).state.facts), ['f1', 'f2', 'f3']);
  assert.is(follower.observe(PLAN, { ...fourth, data: new Uint8Array([1]) }), undefined);
});

test.run();
