import type { NatsConnection } from '@nats-io/transport-node';
import * as assert from 'uvu/assert';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { encodeCommit, hashEvent, seal } from '../../shared/ledger/chain.ts';
import { decodeCommit } from '../../shared/ledger/decode.ts';
import type { Draft, LedgerEvent } from '../../shared/ledger/events.ts';
import { type ForeignMessage, Journal } from '../../shared/ledger/journal/journal.ts';
import type { PlanState } from '../../shared/ledger/state.ts';
import { Verifier } from '../../shared/ledger/verify.ts';
import { readStream, type StoredMessage } from '../../shared/nats/direct-read.ts';
import { publish } from '../../shared/nats/publish.ts';
import { COMMITTED_PREFIX } from '../../shared/nats/topology.ts';
import { suite } from '../harness/suite.ts';
import { type Live, LossyProxy, withLive } from './live.ts';
import { admitted, cancelRequested, fact, START_MS, settled, submitted } from './plan-history.ts';

const test = suite('ledger journal');

const PLAN = 'raced';

const journalOn = (connection: NatsConnection): Journal => new Journal({ connection, by: 'sampler' });

const admit = (journal: Journal, planId = PLAN) =>
  journal.append(planId, () => [submitted(planId), admitted(planId, 1_000)]);

/** A fact of its own id, once: what every decider of Isomorph does with what it has already recorded. */
const recordOnce =
  (number: number) =>
  (state: PlanState): Draft[] =>
    state.facts.has(`f${number}`) ? [] : [fact(number)];

async function messagesOf(connection: NatsConnection, planId = PLAN): Promise<StoredMessage[]> {
  const messages: StoredMessage[] = [];
  for await (const message of readStream(connection, { stream: 'LEDGER', filter: `ledger.${planId}.>`, fromSeq: 1 })) {
    messages.push(message);
  }
  return messages;
}

/** The plan's events as a verifier that trusts nobody reads them. */
async function verifiedEvents(connection: NatsConnection, planId = PLAN): Promise<LedgerEvent[]> {
  const verifier = new Verifier();
  const events = (await messagesOf(connection, planId)).flatMap(({ data, subject }) => decodeCommit(data, subject));
  for (const event of events) verifier.event(event, `seq ${event.seq}`);
  assert.equal(verifier.verdict().findings, []);
  return events;
}

const factsOf = (events: readonly LedgerEvent[]): string[] =>
  events.flatMap(({ data }) => ('fact_id' in data ? [data.fact_id] : []));

const sorted = (values: Iterable<string>): string[] => [...values].sort();

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
  await admit(journalOn(connection));
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
      journal.append(PLAN, ({ phase }) => (phase === 'absent' ? [submitted(PLAN), admitted(PLAN, 5)] : [])),
    ),
  );
  assert.equal(appended.map(({ events }) => events.length).sort(), [0, 0, 0, 0, 0, 0, 0, 2]);
  assert.ok(appended.every(({ state }) => state.phase === 'admitted'));
  assert.is((await verifiedEvents(connection)).length, 2);
});

live('plans do not stand in each other’s way: their chains are apart', async (server) => {
  const connection = await server.connect();
  const journal = journalOn(connection);
  const plans = Array.from({ length: 10 }, (_, index) => `plan-${index}`);
  await Promise.all(plans.map((planId) => admit(journal, planId)));
  await Promise.all(plans.map((planId) => journal.append(planId, () => [settled('failed', 0)])));
  for (const planId of plans) assert.is((await verifiedEvents(connection, planId)).length, 3);
});

live('messages that are no event of the plan are told once each, and nothing breaks', async (server) => {
  const connection = await server.connect();
  await admit(journalOn(connection));
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

live('an event that does not link is a broken chain for whoever reads or appends', async (server) => {
  const connection = await server.connect();
  const { state } = await admit(journalOn(connection));
  const [event] = seal(state.head, [cancelRequested('client')], { planId: PLAN, by: 'admission', nowMs: Date.now() });
  const forged = { ...event, prev_hash: `blake3:${'0'.repeat(64)}` } as LedgerEvent;
  await publish(
    connection,
    `ledger.${PLAN}.plan.cancel_requested`,
    encodeCommit([{ ...forged, this_hash: hashEvent(forged) }]),
  );
  const journal = journalOn(connection);
  assert.is(await codeOf(journal.load(PLAN)), 'ERR_CHAIN_BROKEN');
  assert.is(await codeOf(journal.append(PLAN, recordOnce(1))), 'ERR_CHAIN_BROKEN');
});

live('an illegal commit is refused before anything is written', async (server) => {
  const connection = await server.connect();
  const journal = journalOn(connection);
  await admit(journal);
  assert.is(await codeOf(journal.append(PLAN, () => [fact(1), fact(1)])), 'ERR_COMMIT_INVALID');
  const large = Array.from({ length: 4_000 }, (_, index) => fact(6 * index));
  assert.is(await codeOf(journal.append(PLAN, () => large)), 'ERR_TOO_LARGE');
  assert.is((await verifiedEvents(connection)).length, 2);
  const reader = new Journal({ connection, by: undefined });
  assert.is(await codeOf(reader.append(PLAN, recordOnce(1))), 'ERR_INTERNAL');
});

live('a snapshot is as new as it was asked to be', async (server) => {
  const connection = await server.connect();
  const [writer, reader] = [journalOn(connection), journalOn(connection)];
  await admit(writer);
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
  await admit(writer);
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

/** Listens for the plan's next commit; what it returns waits until the server has stored one. */
async function hearCommit(connection: NatsConnection): Promise<() => Promise<void>> {
  const subscription = connection.subscribe(`${COMMITTED_PREFIX}ledger.${PLAN}.>`, { max: 1 });
  await connection.flush();
  return async () => {
    for await (const _ of subscription) return;
  };
}

/** A journal whose link to the server can be made to lose things. */
async function withLossy(
  server: Live,
  use: (its: { proxy: LossyProxy; journal: Journal; direct: NatsConnection }) => Promise<void>,
): Promise<void> {
  const proxy = await LossyProxy.before(server.port);
  try {
    const direct = await server.connect();
    const journal = journalOn(await server.connect(proxy.port));
    await admit(journal);
    await use({ proxy, journal, direct });
  } finally {
    await proxy.close();
  }
}

// Not idempotent on purpose: only the journal itself can keep these from being recorded twice.
const cancelAgain = (): Draft[] => [cancelRequested('client')];

live('an append whose acknowledgement was lost is there once, and the caller is told what it wrote', async (server) => {
  await withLossy(server, async ({ proxy, journal, direct }) => {
    const stored = await hearCommit(direct);
    void proxy.atNextPublish('lose answers');
    const append = journal.append(PLAN, cancelAgain);
    await stored();
    proxy.cut();
    const { events, state } = await append;
    const ledger = await verifiedEvents(direct);
    assert.equal(ledger.slice(2), events);
    assert.is(events.length, 1);
    assert.is(state.head.hash, events[0]?.this_hash);
  });
});

live('an append that never arrived is made again', async (server) => {
  await withLossy(server, async ({ proxy, journal, direct }) => {
    const lost = proxy.atNextPublish('lose publishes');
    const append = journal.append(PLAN, cancelAgain);
    await lost;
    proxy.cut();
    const { events } = await append;
    assert.equal((await verifiedEvents(direct)).slice(2), events);
    assert.is(events.length, 1);
  });
});

live('an append that arrives after it was given up is not made again', async (server) => {
  await withLossy(server, async ({ proxy, journal, direct }) => {
    const stored = await hearCommit(direct);
    const held = proxy.atNextPublish('hold publishes');
    const append = journal.append(PLAN, cancelAgain);
    await held;
    proxy.deliverHeldBeforeRetry(stored);
    proxy.cut();
    const { events } = await append;
    assert.equal((await verifiedEvents(direct)).slice(2), events);
    assert.is(events.length, 1);
  });
});

live('an append whose acknowledgement was lost is known again behind what others wrote meanwhile', async (server) => {
  await withLossy(server, async ({ proxy, journal, direct }) => {
    const stored = await hearCommit(direct);
    void proxy.atNextPublish('lose answers');
    const append = journal.append(PLAN, cancelAgain);
    await stored();
    await journalOn(direct).append(PLAN, recordOnce(1));
    proxy.cut();
    const { events, state } = await append;
    const kinds = (await verifiedEvents(direct)).slice(2).map(({ kind }) => kind);
    assert.equal(kinds, ['plan.cancel_requested', fact(1).kind]);
    assert.equal(
      events.map(({ kind }) => kind),
      ['plan.cancel_requested'],
    );
    assert.equal(sorted(state.facts), ['f1']);
  });
});

live('an append whose acknowledgement was lost is not made again when a consumer showed it first', async (server) => {
  await withLossy(server, async ({ proxy, journal, direct }) => {
    const stored = await hearCommit(direct);
    void proxy.atNextPublish('lose answers');
    const append = journal.append(PLAN, cancelAgain);
    await stored();
    // The service follows the ledger on another path: its own commit comes back to it before the append knows.
    const last = (await messagesOf(direct)).at(-1) as StoredMessage;
    journal.observe(PLAN, last);
    proxy.cut();
    const { events } = await append;
    assert.equal((await verifiedEvents(direct)).slice(2), events);
    assert.is(events.length, 1);
  });
});

live('a server that is killed under a storm of appends loses nothing that it acknowledged', async (server) => {
  const connection = await server.connect();
  await admit(journalOn(connection));
  const writers = await Promise.all(Array.from({ length: 8 }, async () => journalOn(await server.connect())));
  const acknowledged = new Set<string>();
  let stopped = false;
  const killed = { at: 0 };
  const storm = Promise.all(
    writers.map(async (journal, writer) => {
      for (let turn = 0; !stopped; ) {
        const number = writer + turn * writers.length;
        try {
          await journal.append(PLAN, recordOnce(number));
          acknowledged.add(`f${number}`);
          turn += 1;
        } catch (error) {
          // The same fact again, as a service does when its message is delivered again.
          if (!(error instanceof IsomorphError) || error.code !== 'ERR_UNAVAILABLE') throw error;
        }
      }
    }),
  );
  const reached = async (count: number): Promise<void> => {
    while (acknowledged.size < count) await new Promise((resolve) => setImmediate(resolve));
  };
  await Promise.race([reached(100), storm]);
  killed.at = acknowledged.size;
  await server.killAndRestart();
  await Promise.race([reached(killed.at + 100), storm]);
  stopped = true;
  await storm;
  const facts = factsOf(await verifiedEvents(connection));
  assert.is(new Set(facts).size, facts.length, 'a fact was recorded twice');
  assert.equal(sorted(acknowledged), sorted(facts));
});

test.run();
