import type { NatsConnection } from '@nats-io/transport-node';
import pino from 'pino';
import * as assert from 'uvu/assert';
import { type DispatcherDeps, startDispatcher } from '../../services/dispatcher/service.ts';
import { canonicalText } from '../../shared/hash/canonical.ts';
import { executionId } from '../../shared/ids/ids.ts';
import { Journal } from '../../shared/journal/journal.ts';
import { seal } from '../../shared/ledger/chain.ts';
import type { Draft, LedgerWriter } from '../../shared/ledger/events.ts';
import { publish } from '../../shared/nats/publish.ts';
import { rungSubject } from '../../shared/wire/alarms.ts';
import { CONSUMERS, workConsumer } from '../../shared/wire/consumers.ts';
import { workSubject } from '../../shared/wire/work.ts';
import { suite } from '../harness/suite.ts';
import { withLive } from '../ledger/live.ts';
import { admitted, START_MS, scheduled, settled, started, submitted } from '../ledger/plan-history.ts';

const test = suite('what the ledger caused, of a quarantined plan');

const PLAN = 'quarantined';
const EXECUTION = executionId(PLAN, 'probe', 1);
const PAST = '2026-11-22T08:00:00.000Z';

/** Given a plan with a run under way and then an illegal end; returns the sequence of that. */
async function quarantined(connection: NatsConnection): Promise<number> {
  const append = (by: LedgerWriter, drafts: Draft[]) =>
    new Journal({ connection, by, nowMs: () => START_MS }).append(PLAN, () => ({ drafts }));
  await append('admission', [submitted(PLAN), admitted(PLAN, 1_000)]);
  await append('dispatcher', scheduled(PLAN, 'probe', 1, 10));
  const { head } = await append('dispatcher', [started(EXECUTION)]);
  const [illegal] = seal(head, [settled('succeeded', 7)], { planId: PLAN, by: 'settler', nowMs: START_MS });
  return (await publish(connection, `ledger.${PLAN}.plan.settled`, canonicalText(illegal))).seq;
}

/** The first answer that is final or says to wait for long: before it has read the whole chain a dispatcher may ask for another try. */
async function answerOf(connection: NatsConnection, stream: string, durable: string): Promise<string> {
  const answers = connection.subscribe(`$JS.ACK.${stream}.${durable}.>`);
  await connection.flush();
  for await (const answer of answers) {
    const text = answer.string();
    if (/^(-NAK .*0{9}\b|\+TERM|\+ACK|$)/.test(text)) return text;
  }
  throw new Error(`nothing was answered on ${durable}`);
}

const CASES = {
  work: {
    consumer: workConsumer('mock'),
    subject: workSubject('mock'),
    body: (seq: number) => ({ plan_id: PLAN, execution_id: EXECUTION, not_before: PAST, ledger_seq: seq }),
  },
  alarm: {
    consumer: CONSUMERS.alarms,
    subject: rungSubject(PLAN),
    body: () => ({ due: PAST }),
  },
} as const;

for (const [what, { consumer, subject, body }] of Object.entries(CASES)) {
  test(`${what === 'alarm' ? 'an' : 'a'} ${what} message is kept for a later version: handed back for a minute, never dead, and nothing is written or purged`, async () => {
    await withLive(async (server) => {
      const connection = await server.connect();
      const seq = await quarantined(connection);
      const purged: string[] = [];
      const answer = answerOf(connection, consumer.stream, consumer.durable);
      const dispatcher = await startDispatcher({
        connection: await server.connect(),
        log: pino({ level: 'silent' }),
        nowMs: Date.now,
        onForeign: () => undefined,
        store: { sweepUploads: async () => 0 },
        runtimes: [{ adapter: 'mock', kill: async () => undefined }],
        scratchStores: [{ purgePlan: async ({ planId }: { planId: string }) => void purged.push(planId) }],
        slots: 1,
        instance: 'dispatcher-1',
      } as unknown as DispatcherDeps);
      await publish(connection, subject, JSON.stringify(body(seq)));
      assert.match(await answer, /^-NAK .*60000000000/);
      await dispatcher.stop();
      assert.equal(purged, []);
      assert.is((await new Journal({ connection, by: undefined }).read(PLAN)).lastSeq, seq, 'nothing was written');
    });
  });
}

test.run();
