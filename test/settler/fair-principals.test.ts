import pLimit from 'p-limit';
import pino from 'pino';
import * as assert from 'uvu/assert';
import { startSettler } from '../../services/settler/service.ts';
import { canonicalBytes } from '../../shared/hash/canonical.ts';
import { Journal } from '../../shared/journal/journal.ts';
import { Judge, type JudgedPredicate } from '../../shared/judge/judge.ts';
import type { Draft, LedgerWriter } from '../../shared/ledger/events.ts';
import type { Consumption } from '../../shared/nats/consume.ts';
import { heard, startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';
import { admitted, scheduled, started, submitted, succeeded } from '../ledger/plan-history.ts';
import { planOf, step } from '../plan/admitted-plan.ts';

const test = suite('the settler is fair by principal', undefined, { timeoutMs: 180_000 });

/** More than a loop holds. */
const FLOOD = 300;

const CALL = { use: 'artifact.jmespath_ok@1', path: '/artifacts/inputs/none.json', expression: 'a' };

/** What one principal asks is not answered until it is released. */
class HoldingJudge extends Judge {
  release: () => void = () => undefined;
  readonly #released = new Promise<void>((resolve) => {
    this.release = resolve;
  });
  /** Told of each that waits. */
  readonly #onAsked: () => void;

  constructor(onAsked: () => void) {
    super();
    this.#onAsked = onAsked;
  }

  override async predicate(asker: string): Promise<JudgedPredicate> {
    if (asker === 'alice') {
      this.#onAsked();
      await this.#released;
    }
    return { ok: true, found: 'true', isTooCostly: false };
  }
}

/** Ledgers of plans whose only step has just succeeded. */
class Plans {
  readonly #its: TestStack;
  readonly #journals: Readonly<Record<'admission' | 'dispatcher', Journal>>;

  constructor(its: TestStack) {
    this.#its = its;
    const by = (writer: LedgerWriter) => new Journal({ connection: its.core, by: writer });
    this.#journals = { admission: by('admission'), dispatcher: by('dispatcher') };
  }

  async finished(planId: string, principal: string): Promise<void> {
    const plan = planOf([step('train')], { plan_id: planId, predicates: [{ pointer: '/predicates/0', call: CALL }] });
    const worldPath = `/artifacts/plans/${planId}/admitted.json`;
    const { cid } = await this.#its.store.putBytes({
      worldPath,
      data: canonicalBytes(plan),
      contentType: 'text/plain',
    });
    const { kind, data } = submitted(planId);
    const begun = [
      { kind, data: { ...data, principal } } as Draft,
      admitted(planId, 10_000, { steps: 1, predicates: 1, admitted_cid: cid }),
    ];
    await this.#append('admission', planId, begun);
    const id = `${planId}.train.1`;
    await this.#append('dispatcher', planId, [...scheduled(planId, 'train', 1, 400), started(id), succeeded(id, 5)]);
  }

  async #append(by: 'admission' | 'dispatcher', planId: string, drafts: readonly Draft[]): Promise<void> {
    await this.#journals[by].append(planId, ({ phase }) => ({
      drafts: (phase === 'absent') === (by === 'admission') ? drafts : [],
    }));
  }
}

test('with more plans of one waiting for the judge than a settler holds, that of another is settled', async () => {
  const its = await startTestStack({ services: [] });
  let waiting = 0;
  let onFlood: () => void = () => undefined;
  const judge = new HoldingJudge(() => {
    waiting += 1;
    if (waiting >= 64) onFlood();
  });
  let settler: Consumption | undefined;
  try {
    const plans = new Plans(its);
    const limit = pLimit(32);
    const names = Array.from({ length: FLOOD }, (_, index) => `alice-${index}`);
    await Promise.all(names.map((planId) => limit(() => plans.finished(planId, 'alice'))));
    const flooded = new Promise<void>((resolve) => {
      onFlood = resolve;
    });
    const deps = { connection: its.core, log: pino({ level: 'silent' }), nowMs: Date.now, onForeign: () => undefined };
    settler = await startSettler({ ...deps, store: its.store, judge });
    await flooded;
    const last = await heard(its.client, 'ledger.of-bob.plan.settled', () => plans.finished('of-bob', 'bob'));
    assert.match(last, '"status":"succeeded"');
    assert.is((await its.read('alice-0')).state.phase, 'admitted');
    judge.release();
    await its.ended(`alice-${FLOOD - 1}`);
  } finally {
    judge.release();
    await settler?.stop();
    await judge.close();
    await its.stop();
  }
});

test.run();
