import type { NatsConnection } from '@nats-io/transport-node';
import * as assert from 'uvu/assert';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { Journal } from '../../shared/journal/journal.ts';
import type { Decision } from '../../shared/ledger/decider.ts';
import type { StoredMessage } from '../../shared/nats/read.ts';
import { suite } from '../harness/suite.ts';
import { type Live, LossyProxy, withLive } from './live.ts';
import { admit, factsOf, journalOn, messagesOf, PLAN, recordOnce, sorted, verifiedEvents } from './live-journal.ts';
import { cancelRequested, fact } from './plan-history.ts';

const test = suite('ledger journal on bad links');

const live = (title: string, use: (server: Live) => Promise<void>): void => test(title, () => withLive(use));

/** Listens for the plan's next commit; what it returns waits until the server has stored one. */
async function hearCommit(connection: NatsConnection): Promise<() => Promise<void>> {
  const subscription = connection.subscribe(`committed.ledger.${PLAN}.>`, { max: 1 });
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
    const journal = new Journal({ connection: await server.connect(proxy.port), by: 'admission' });
    await admit(direct);
    await journal.load(PLAN);
    await use({ proxy, journal, direct });
  } finally {
    await proxy.close();
  }
}

// Not idempotent on purpose: only the journal itself can keep these from being recorded twice.
const cancelAgain = (): Decision => ({ drafts: [cancelRequested('client')] });

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
    let asked = 0;
    const append = journal.append(PLAN, () => ({ ...cancelAgain(), turn: ++asked }));
    await held;
    proxy.deliverHeldBeforeRetry(stored);
    proxy.cut();
    const { events, decision } = await append;
    assert.equal([decision.turn, asked], [1, 2], 'decided again, and told what was written');
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
  await admit(connection);
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
