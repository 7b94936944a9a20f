import * as assert from 'uvu/assert';
import { Worker, type WorkerDeps } from '../../services/dispatcher/worker.ts';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { canonicalText } from '../../shared/hash/canonical.ts';
import { executionId } from '../../shared/ids/ids.ts';
import { Journal } from '../../shared/journal/journal.ts';
import { seal } from '../../shared/ledger/chain.ts';
import type { Draft, LedgerWriter } from '../../shared/ledger/events.ts';
import { publish } from '../../shared/nats/publish.ts';
import { suite } from '../harness/suite.ts';
import { withLive } from '../ledger/live.ts';
import { admitted, START_MS, scheduled, settled, started, submitted } from '../ledger/plan-history.ts';

const test = suite('a run of a quarantined plan');

const PLAN = 'quarantined';
const EXECUTION = executionId(PLAN, 'probe', 1);
/** What `started` says. */
const DEADLINE_MS = Date.parse('2026-11-22T08:01:00.000Z');

test('is ended at its deadline, and not before', async () => {
  await withLive(async (server) => {
    const connection = await server.connect();
    const append = (by: LedgerWriter, drafts: Draft[]) =>
      new Journal({ connection, by, nowMs: () => START_MS }).append(PLAN, () => ({ drafts }));
    await append('admission', [submitted(PLAN), admitted(PLAN, 1_000)]);
    await append('dispatcher', scheduled(PLAN, 'probe', 1, 10));
    const { head } = await append('dispatcher', [started(EXECUTION)]);
    const [illegal] = seal(head, [settled('succeeded', 7)], { planId: PLAN, by: 'settler', nowMs: START_MS });
    const { seq } = await publish(connection, `ledger.${PLAN}.plan.settled`, canonicalText(illegal));
    const killed: string[] = [];
    let nowMs = DEADLINE_MS - 1;
    const worker = new Worker({
      journal: new Journal({ connection, by: 'dispatcher' }),
      nowMs: () => nowMs,
      runtime: { kill: async (id: string) => void killed.push(id) },
    } as unknown as WorkerDeps);
    const work = { plan_id: PLAN, execution_id: EXECUTION, not_before: '2026-11-22T08:00:00.000Z', ledger_seq: seq };
    const codeOfTaking = () =>
      worker.handle(work, new AbortController().signal).then(
        () => 'it was taken',
        (error: unknown) => (error instanceof IsomorphError ? error.code : String(error)),
      );
    assert.equal([await codeOfTaking(), killed], ['ERR_QUARANTINED', []]);
    nowMs = DEADLINE_MS;
    assert.equal([await codeOfTaking(), killed], ['ERR_QUARANTINED', [EXECUTION]]);
  });
});

test.run();
