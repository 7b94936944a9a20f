import type { NatsConnection } from '@nats-io/transport-node';
import * as assert from 'uvu/assert';
import { canonicalText } from '../../shared/hash/canonical.ts';
import { Journal } from '../../shared/journal/journal.ts';
import { type Head, seal } from '../../shared/ledger/chain.ts';
import type { LedgerEvent } from '../../shared/ledger/events.ts';
import { publish } from '../../shared/nats/publish.ts';
import type { StoredMessage } from '../../shared/nats/read.ts';
import { suite } from '../harness/suite.ts';
import { withLive } from './live.ts';
import { admit, journalOn, messagesOf, PLAN, recordOnce, sorted } from './live-journal.ts';
import { fact } from './plan-history.ts';

/** Who has a service's credentials may leave compare-and-set out: two events of one seq that both link to the head. */
const test = suite('two events that link to the same one');

/** Appends beside whoever else does. */
async function store(connection: NatsConnection, head: Head, number: number): Promise<LedgerEvent> {
  const [event] = seal(head, [fact(number)], { planId: PLAN, by: 'sampler', nowMs: Date.now() });
  if (event === undefined) throw new Error('nothing was sealed');
  await publish(connection, `ledger.${PLAN}.${event.kind}`, canonicalText(event));
  return event;
}

interface Divided {
  readonly connection: NatsConnection;
  /** An instance that the shared consumer has shown the second of two such events, and not the first. */
  readonly instance: Journal;
  readonly told: number[];
  readonly second: StoredMessage;
  readonly head: Head;
}

const divided = (title: string, use: (divided: Divided) => Promise<void>): void =>
  test(title, () =>
    withLive(async (server) => {
      const connection = await server.connect();
      const { head } = await admit(connection);
      const told: number[] = [];
      const instance = new Journal({ connection, by: 'sampler', onForeign: ({ seq }) => told.push(seq) });
      const [begin] = await messagesOf(connection);
      if (begin !== undefined) instance.observe(PLAN, begin);
      const first = await store(connection, head, 1);
      await store(connection, head, 2);
      const second = (await messagesOf(connection)).at(-1);
      if (second === undefined) throw new Error('nothing was stored');
      instance.observe(PLAN, second);
      assert.equal(factsIn(await instance.load(PLAN, second.seq)), ['f2'], 'it has followed the second');
      const { seq, this_hash: hash, ts } = first;
      await use({ connection, instance, told, second, head: { seq, hash, ts } });
    }),
  );

const factsIn = ({ state }: Awaited<ReturnType<Journal['load']>>): string[] => sorted(state.facts);

divided('who was shown the second alone reads again when the chain goes on behind the first', async (its) => {
  const { connection, instance, told, second, head } = its;
  await store(connection, head, 3);
  const third = (await messagesOf(connection)).at(-1);
  if (third === undefined) throw new Error('nothing was stored');
  instance.observe(PLAN, third);
  const snapshot = await instance.load(PLAN, third.seq);
  assert.equal(factsIn(snapshot), ['f1', 'f3']);
  assert.equal([...snapshot.foreign], [second.seq]);
  assert.equal(told, [second.seq], 'what is in the chain is not told to be foreign');
});

divided('what it appends then stands where all others see it', async ({ connection, instance }) => {
  await journalOn(connection).append(PLAN, recordOnce(3));
  const { events, state } = await instance.append(PLAN, recordOnce(4));
  assert.equal([events.length, sorted(state.facts)], [1, ['f1', 'f3', 'f4']]);
  assert.equal(sorted((await journalOn(connection).load(PLAN)).state.facts), ['f1', 'f3', 'f4']);
});

test('a plan that was read is not read again for a message that is none of its chain', async () => {
  await withLive(async (server) => {
    const connection = await server.connect();
    const { head } = await admit(connection);
    const reader = journalOn(connection);
    await journalOn(connection).append(PLAN, recordOnce(1));
    await reader.load(PLAN);
    await store(connection, head, 2);
    const requests = connection.stats().outMsgs;
    const last = (await messagesOf(connection)).at(-1)?.seq ?? 0;
    const oneReading = connection.stats().outMsgs - requests;
    assert.equal([...(await reader.load(PLAN, last)).foreign], [last]);
    assert.is(connection.stats().outMsgs - requests, 2 * oneReading);
  });
});

test.run();
