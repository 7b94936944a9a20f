import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import pino from 'pino';
import * as assert from 'uvu/assert';
import { type DispatcherDeps, startDispatcher } from '../../services/dispatcher/service.ts';
import { canonicalBytes } from '../../shared/hash/canonical.ts';
import { cidOf } from '../../shared/hash/cid.ts';
import { executionId } from '../../shared/ids/ids.ts';
import { Journal } from '../../shared/journal/journal.ts';
import type { Draft, LedgerWriter } from '../../shared/ledger/events.ts';
import { publish } from '../../shared/nats/publish.ts';
import { LEDGER_STREAM } from '../../shared/wire/ledger.ts';
import { suite } from '../harness/suite.ts';
import { withLive } from '../ledger/live.ts';
import { admitted, failed, START_MS, scheduled, settledExecution, started, submitted } from '../ledger/plan-history.ts';
import { planOf, step } from '../plan/admitted-plan.ts';

const test = suite('a ledger that is nearly full');

const PLAN = 'plan';
const FIRST = executionId(PLAN, 'train', 1);
const DOCUMENT = canonicalBytes(planOf([step('train')]));
const RESERVE = 400;
const MIB = 1024 ** 2;

/** Given a plan whose only step failed once and may be tried again. */
async function failedOnce(connection: NatsConnection): Promise<void> {
  const append = (by: LedgerWriter, drafts: Draft[]) =>
    new Journal({ connection, by, nowMs: () => START_MS }).append(PLAN, () => ({ drafts }));
  const document = { admitted_cid: cidOf(DOCUMENT), steps: 1, predicates: 0 };
  await append('admission', [submitted(PLAN), admitted(PLAN, 10 * RESERVE, document)]);
  await append('dispatcher', scheduled(PLAN, 'train', 1, RESERVE));
  await append('dispatcher', [started(FIRST)]);
  await append('dispatcher', [failed(FIRST, 5)]);
  await append('settler', settledExecution(PLAN, FIRST, RESERVE, 100));
}

test('a retry waits for room, uses no attempt and fills nothing, and goes on by itself when the limit is raised', async () => {
  await withLive(async (server) => {
    const connection = await server.connect();
    const { streams } = await jetstreamManager(await server.connectAdmin());
    await failedOnce(connection);
    await streams.update(LEDGER_STREAM, { max_bytes: MIB });
    for (let at = 0; at < 10; at++) await publish(connection, `ledger.noise-${at}.plan.noise`, 'x'.repeat(96_000));
    const attempt = connection.subscribe(`committed.ledger.${PLAN}.execution.scheduled`, { max: 1 });
    const scheduling = attempt[Symbol.asyncIterator]()
      .next()
      .then(() => 'scheduled');
    let tell: (what: string) => void;
    const told = new Promise<string>((resolve) => {
      tell = resolve;
    });
    const dispatcher = await startDispatcher({
      connection: await server.connect(),
      log: pino({}, { write: (line: string) => (line.includes('ERR_LEDGER_FULL') ? tell('told') : undefined) }),
      nowMs: () => START_MS,
      onForeign: () => undefined,
      store: { sweepUploads: async () => 0, getBytes: async () => DOCUMENT },
      runtimes: [],
      scratchStores: [],
      slots: 1,
      instance: 'dispatcher-1',
    } as unknown as DispatcherDeps);
    try {
      assert.is(await Promise.race([told, scheduling]), 'told');
      await streams.update(LEDGER_STREAM, { max_bytes: 8 * MIB });
      await scheduling;
      const { state } = await new Journal({ connection, by: undefined }).read(PLAN);
      assert.equal([...state.executions.keys()], [FIRST, executionId(PLAN, 'train', 2)]);
    } finally {
      await dispatcher.stop();
    }
  });
});

test.run();
