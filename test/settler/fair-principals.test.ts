import { pathToFileURL } from 'node:url';
import type { NatsConnection } from '@nats-io/transport-node';
import pLimit from 'p-limit';
import pino from 'pino';
import * as assert from 'uvu/assert';
import { PLANS_AT_ONCE } from '../../services/common/follow-ledger.ts';
import { startSettler } from '../../services/settler/service.ts';
import { canonicalBytes } from '../../shared/hash/canonical.ts';
import { Journal } from '../../shared/journal/journal.ts';
import { Judge, type JudgedPredicate } from '../../shared/judge/judge.ts';
import type { Draft } from '../../shared/ledger/events.ts';
import type { ArtifactStore } from '../../shared/world/artifact-store.ts';
import { openArtifactStore } from '../../shared/world/open.ts';
import { heard } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';
import { withLive } from '../ledger/live.ts';
import { admitted, scheduled, started, submitted, succeeded } from '../ledger/plan-history.ts';
import { planOf, step } from '../plan/admitted-plan.ts';
import { withTempDir } from '../stack/fixture.ts';

const test = suite('the settler is fair by principal', undefined, { timeoutMs: 180_000 });

/** Two commits of each wait: more than a loop holds. */
const FLOOD = 140;

const CALL = { use: 'artifact.jmespath_ok@1', path: '/artifacts/inputs/none.json', expression: 'a' };

/** What one principal asks is not answered until it is released. */
class HoldingJudge extends Judge {
  release: () => void = () => undefined;
  readonly #released = new Promise<void>((resolve) => {
    this.release = resolve;
  });
  #asked = 0;
  #onAsked: () => void = () => undefined;

  override async predicate(asker: string): Promise<JudgedPredicate> {
    if (asker === 'alice') {
      this.#asked += 1;
      this.#onAsked();
      await this.#released;
    }
    return { ok: true, found: 'true', isTooCostly: false };
  }

  async whenAsked(times: number): Promise<void> {
    while (this.#asked < times) {
      await new Promise<void>((resolve) => {
        this.#onAsked = resolve;
      });
    }
  }
}

/** Ledgers of plans whose only step has just succeeded. */
class Plans {
  readonly #store: ArtifactStore;
  readonly #admission: Journal;
  readonly #dispatcher: Journal;

  constructor(connection: NatsConnection, store: ArtifactStore) {
    this.#store = store;
    this.#admission = new Journal({ connection, by: 'admission' });
    this.#dispatcher = new Journal({ connection, by: 'dispatcher' });
  }

  async finished(planId: string, principal: string): Promise<void> {
    const plan = planOf([step('train')], { plan_id: planId, predicates: [{ pointer: '/predicates/0', call: CALL }] });
    const worldPath = `/artifacts/plans/${planId}/admitted.json`;
    const { cid } = await this.#store.putBytes({ worldPath, data: canonicalBytes(plan), contentType: 'text/plain' });
    const { kind, data } = submitted(planId);
    const begun = [
      { kind, data: { ...data, principal } } as Draft,
      admitted(planId, 10_000, { steps: 1, predicates: 1, admitted_cid: cid }),
    ];
    await this.#admission.append(planId, ({ phase }) => ({ drafts: phase === 'absent' ? begun : [] }));
    const id = `${planId}.train.1`;
    const run = [...scheduled(planId, 'train', 1, 400), started(id), succeeded(id, 5)];
    await this.#dispatcher.append(planId, ({ executions }) => ({ drafts: executions.size === 0 ? run : [] }));
  }
}

test('with more plans of one waiting for the judge than a settler holds, that of another is settled', () =>
  withTempDir((dir) =>
    withLive(async (live) => {
      const connection = await live.connect();
      const store = await openArtifactStore(pathToFileURL(dir).href);
      const plans = new Plans(connection, store);
      const limit = pLimit(8);
      const names = Array.from({ length: FLOOD }, (_, index) => `alice-${index}`);
      await Promise.all(names.map((planId) => limit(() => plans.finished(planId, 'alice'))));
      const judge = new HoldingJudge();
      const deps = { connection, log: pino({ level: 'silent' }), nowMs: Date.now, onForeign: () => undefined };
      const settler = await startSettler({ ...deps, store, judge });
      try {
        await judge.whenAsked(PLANS_AT_ONCE);
        const last = await heard(connection, 'committed.ledger.of-bob.plan.settled', () =>
          plans.finished('of-bob', 'bob'),
        );
        assert.match(last, '"status":"succeeded"');
        const reader = new Journal({ connection, by: undefined });
        assert.is((await reader.read('alice-0')).state.phase, 'admitted');
      } finally {
        judge.release();
        await settler.stop();
        await judge.close();
        await store.close();
      }
    }),
  ));

test.run();
