/**
 * Appending through the journal against publishing the same bytes under the same conditions by the bare client: what
 * deciding, judging, hashing and encoding cost on top of a compare-and-set.
 */
import { type JetStreamClient, jetstream } from '@nats-io/jetstream';
import { Journal } from '../../shared/journal/journal.ts';
import { EMPTY_HEAD, encodeCommit, type Head, headOf, seal } from '../../shared/ledger/chain.ts';
import type { Draft, LedgerEvent, LedgerWriter } from '../../shared/ledger/events.ts';
import { commitSubject, planSubjects } from '../../shared/wire/ledger.ts';
import { admitted, submitted } from '../../test/ledger/plan-history.ts';
import { type BenchResult, inParallel, median, takeTurns } from '../harness.ts';
import { type LedgerServer, type SyncMode, startLedgerServer } from './server.ts';

const PLANS = 64;
const COMMITS_A_TURN = 16;
const ROUNDS = 9;
const WARM_UPS = 3;
const SINGLE_COMMITS = 300;
const SINGLE_ROUNDS = 5;

const MS_PER_NS = 1e-6;

const drafts = (from: number, count: number): Draft[] =>
  Array.from({ length: count }, (_, n) => ({
    kind: 'scratch.kv.changed',
    data: { fact_id: `fact-${from + n}`, key: `results/of/the/row/${from + n}`, op: 'put' },
  }));

const beginning = (planId: string): Draft[] => [submitted(planId), admitted(planId, 1_000)];

/** One way of writing chains of plans. */
interface Writer {
  begin(planId: string): Promise<void>;
  append(planId: string, events: number): Promise<void>;
}

async function ours(server: LedgerServer): Promise<Writer> {
  const connection = await server.connect('ours');
  const [admission, sampler] = [
    new Journal({ connection, by: 'admission' }),
    new Journal({ connection, by: 'sampler' }),
  ];
  return {
    async begin(planId) {
      await admission.append(planId, () => ({ drafts: beginning(planId) }));
    },
    async append(planId, events) {
      await sampler.append(planId, ({ facts }) => ({ drafts: drafts(facts.size, events) }));
    },
  };
}

interface Bare {
  head: Head;
  lastSeq: number;
  facts: number;
  /** Sealed ahead, so that publishing is all that is timed. */
  readonly ready: LedgerEvent[][];
}

class BareWriter implements Writer {
  readonly #js: JetStreamClient;
  readonly #plans = new Map<string, Bare>();

  constructor(js: JetStreamClient) {
    this.#js = js;
  }

  async begin(planId: string): Promise<void> {
    const its: Bare = { head: EMPTY_HEAD, lastSeq: 0, facts: 0, ready: [] };
    this.#plans.set(planId, its);
    await this.#publish(its, planId, this.#seal(its, planId, 'admission', beginning(planId)));
  }

  prepare(planId: string, commits: number, events: number): void {
    const its = this.#of(planId);
    for (let n = 0; n < commits; n++) {
      its.ready.push(this.#seal(its, planId, 'sampler', drafts(its.facts, events)));
      its.facts += events;
    }
  }

  async append(planId: string): Promise<void> {
    const its = this.#of(planId);
    const commit = its.ready.shift();
    if (commit === undefined) throw new Error(`nothing is prepared for ${planId}`);
    await this.#publish(its, planId, commit);
  }

  #seal(its: Bare, planId: string, by: LedgerWriter, what: readonly Draft[]): LedgerEvent[] {
    const events = seal(its.head, what, { planId, by, nowMs: Date.now() });
    its.head = headOf(events.at(-1) as LedgerEvent);
    return events;
  }

  async #publish(its: Bare, planId: string, events: readonly LedgerEvent[]): Promise<void> {
    const last = events.at(-1) as LedgerEvent;
    const { seq } = await this.#js.publish(commitSubject(last), encodeCommit(events), {
      msgID: last.this_hash,
      expect: { lastSubjectSequence: its.lastSeq, lastSubjectSequenceSubject: planSubjects(planId) },
    });
    its.lastSeq = seq;
  }

  #of(planId: string): Bare {
    const its = this.#plans.get(planId);
    if (its === undefined) throw new Error(`${planId} was not begun`);
    return its;
  }
}

const idsOf = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${prefix}-${n}`);

const timedMs = async (work: () => Promise<unknown>): Promise<number> => {
  const startNs = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - startNs) * MS_PER_NS;
};

/** Many plans at once; each plan's commits follow each other, as compare-and-set wants it. */
export async function manyPlans(our: Writer, bare: BareWriter, events: number) {
  const [ourIds, bareIds] = [idsOf(`ours-${events}`, PLANS), idsOf(`bare-${events}`, PLANS)];
  await Promise.all([...ourIds.map((id) => our.begin(id)), ...bareIds.map((id) => bare.begin(id))]);
  for (const id of bareIds) bare.prepare(id, COMMITS_A_TURN * (ROUNDS + WARM_UPS), events);
  const turnOf = (writer: Writer, ids: readonly string[]) => () =>
    inParallel(PLANS, PLANS, async (index) => {
      for (let n = 0; n < COMMITS_A_TURN; n++) await writer.append(ids[index] ?? '', events);
    });
  const { oursS, referenceS, ratio } = await takeTurns(turnOf(our, ourIds), turnOf(bare, bareIds), ROUNDS, WARM_UPS);
  const all = PLANS * COMMITS_A_TURN * events;
  return { ratio, oursPerS: all / oursS, barePerS: all / referenceS };
}

/** One plan, one commit after another, both writers taking turns commit by commit. */
async function onePlan(our: Writer, bare: BareWriter) {
  await Promise.all([our.begin('ours-alone'), bare.begin('bare-alone')]);
  bare.prepare('bare-alone', SINGLE_COMMITS * (SINGLE_ROUNDS + 1), 1);
  const [ourP50s, bareP50s]: [number[], number[]] = [[], []];
  for (let round = 0; round <= SINGLE_ROUNDS; round++) {
    const [ourMs, bareMs]: [number[], number[]] = [[], []];
    for (let n = 0; n < SINGLE_COMMITS; n++) {
      ourMs.push(await timedMs(() => our.append('ours-alone', 1)));
      bareMs.push(await timedMs(() => bare.append('bare-alone')));
    }
    // The first round warms up.
    if (round > 0) {
      ourP50s.push(median(ourMs));
      bareP50s.push(median(bareMs));
    }
  }
  const ratio = median(ourP50s.map((ms, round) => ms / (bareP50s[round] ?? Number.NaN)));
  return { ratio, oursMs: median(ourP50s), bareMs: median(bareP50s) };
}

export async function appending(mode: SyncMode): Promise<BenchResult> {
  const server = await startLedgerServer(mode);
  try {
    const our = await ours(server);
    const bare = new BareWriter(jetstream(await server.connect('bare')));
    const [single, ten, alone] = [
      await manyPlans(our, bare, 1),
      await manyPlans(our, bare, 10),
      await onePlan(our, bare),
    ];
    return {
      ratios: {
        [`append_64_plans_1_${mode}`]: single.ratio,
        [`append_64_plans_10_${mode}`]: ten.ratio,
        [`append_one_plan_p50_${mode}`]: alone.ratio,
      },
      figures: {
        [`append_64_plans_1_${mode}_events_per_s`]: single.oursPerS,
        [`bare_64_plans_1_${mode}_events_per_s`]: single.barePerS,
        [`append_64_plans_10_${mode}_events_per_s`]: ten.oursPerS,
        [`bare_64_plans_10_${mode}_events_per_s`]: ten.barePerS,
        [`append_one_plan_p50_${mode}_ms`]: alone.oursMs,
        [`bare_one_plan_p50_${mode}_ms`]: alone.bareMs,
      },
    };
  } finally {
    await server.stop();
  }
}
