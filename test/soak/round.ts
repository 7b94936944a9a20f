/** One round: plans, poison and faults, then silence, then every check. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { scaledMs } from '../harness/slowness.ts';
import { type Chain, Chains } from './checker/chains.ts';
import { documentFindings, folderReader } from './checker/documents.ts';
import { type Folded, folded } from './checker/fold.ts';
import { behind, rowFindings } from './checker/rows.ts';
import { type Sight, type Stored, sightOf, storedIn } from './checker/stored.ts';
import { Conductor } from './conduct.ts';
import { type Deployment, filesBelow, SECRET } from './deployment.ts';
import { type Copy, type Fault, faultsOf } from './faults.ts';
import { History } from './growth.ts';
import { isOn, type KnownLimit } from './known.ts';
import { isOfTheLiving, type Measures, measuresOf } from './measures.ts';
import { plansOf, type SoakPlan } from './plans.ts';
import { type Given, poisonRound } from './poison.ts';
import { randomOf } from './random.ts';
import { submitPlan } from './submit.ts';
import { Supervisor } from './supervisor.ts';
import * as verdict from './verdict.ts';

/** No harmless plan got an event for so long, and nothing was done to anybody: it will get none. Longer than a run may take. */
const STUCK_MS = 30_000;
const DRAINED_WITHIN_MS = 30_000;
const LOOK_AGAIN_MS = 400;
/** Between two looks at the deliveries of consumers. */
const BETWEEN_SIGHTS_MS = 2_000;

/** Rounds between two that nobody is killed in: what grows is seen only in who lives. */
const CALM_ROUNDS = 4;

export interface RoundPlan {
  readonly round: number;
  readonly plans: readonly SoakPlan[];
  readonly faults: readonly Fault[];
  readonly poisonSeed: number;
}

/** What a seed makes of a round: the same plans and the same order of faults. Pure. */
export function roundPlan(seed: number, round: number, on: readonly KnownLimit[]): RoundPlan {
  const isCalm = round % (CALM_ROUNDS + 1) !== 0;
  return {
    round,
    plans: plansOf(randomOf(seed, round, 1), round),
    faults: isCalm ? [] : faultsOf(randomOf(seed, round, 2), on),
    poisonSeed: randomOf(seed, round, 3).between(1, 2 ** 30),
  };
}

export interface RoundReport {
  readonly findings: readonly string[];
  readonly measures: Measures | undefined;
  /** Of the round's plans the one that took longest from submission to end. */
  readonly slowest: string;
  readonly plans: number;
  /** In all rounds so far, as are the events. */
  readonly poison: number;
  readonly events: number;
}

export interface RoundsOptions {
  /** Known limits that are tried all the same. */
  readonly on: readonly KnownLimit[];
  /** Whether memory that grows is a finding; on a shared machine it may say nothing. */
  readonly judgesMemory: boolean;
  readonly tell: (line: string) => void;
}

/** The soak's memory over rounds. */
export class Rounds {
  readonly #deployment: Deployment;
  readonly #on: readonly KnownLimit[];
  readonly #options: RoundsOptions;
  readonly #chains = new Chains();
  readonly #letters: verdict.Letter[] = [];
  readonly #read = new Map<string, number>();
  readonly #plans = new Map<string, SoakPlan>();
  readonly #histories = new Map<Copy, History>();
  readonly #given: Given[] = [];

  constructor(deployment: Deployment, options: RoundsOptions) {
    this.#deployment = deployment;
    this.#on = options.on;
    this.#options = options;
  }

  async run(plan: RoundPlan): Promise<RoundReport> {
    for (const one of plan.plans) this.#plans.set(one.id, one);
    const conductor = new Conductor(this.#deployment, this.#options.tell);
    const supervisor = new Supervisor(this.#deployment, plan.faults.length === 0, this.#options.tell);
    const running = this.#run(plan, conductor);
    // When somebody ended for good, what waits for it does not matter any more.
    running.catch(() => undefined);
    const ended = supervisor.finding.then((finding) => this.#report(plan, [finding], undefined));
    try {
      return await Promise.race([running, ended]);
    } finally {
      supervisor.stop();
    }
  }

  async #run(plan: RoundPlan, conductor: Conductor): Promise<RoundReport> {
    const poisoning = poisonRound(this.#deployment, plan.round, plan.poisonSeed);
    const conducting = conductor.run(plan.faults);
    await Promise.all(plan.plans.map((one) => submitPlan(this.#deployment, one)));
    const given = await poisoning;
    this.#given.push(...given);
    await conducting;
    const findings = await this.#judge(plan);
    const measures = findings.length > 0 ? undefined : await measuresOf(this.#deployment);
    if (measures !== undefined) findings.push(...this.#measured(measures));
    return this.#report(plan, findings, measures);
  }

  #report({ plans }: RoundPlan, findings: readonly string[], measures: Measures | undefined): RoundReport {
    const events = [...this.#chains.byPlan.values()].reduce((sum, chain) => sum + chain.events.length, 0);
    return {
      findings,
      measures,
      slowest: this.#slowest(plans),
      plans: plans.length,
      poison: this.#given.length,
      events,
    };
  }

  #slowest(plans: readonly SoakPlan[]): string {
    const took = plans.map(({ id }) => {
      const events = this.#chains.byPlan.get(id)?.events ?? [];
      return { id, ms: Date.parse(events.at(-1)?.ts ?? '') - Date.parse(events[0]?.ts ?? '') };
    });
    const [first] = took.sort((one, other) => other.ms - one.ms);
    return `${first?.id} took ${((first?.ms ?? 0) / 1_000).toFixed(1)} s`;
  }

  /** What is new in a stream. */
  async #new(stream: string): Promise<Stored[]> {
    const stored = await storedIn(this.#deployment.core, stream, (this.#read.get(stream) ?? 0) + 1);
    const last = stored.at(-1);
    if (last !== undefined) this.#read.set(stream, last.seq);
    return stored;
  }

  async #readLedger(): Promise<Stored[]> {
    const stored = await this.#new('LEDGER');
    this.#chains.take(stored);
    return stored;
  }

  /** Waits until every plan of the round has ended. */
  async #settled(plans: readonly SoakPlan[]): Promise<string[]> {
    const open = (): SoakPlan[] =>
      plans.filter(({ id }) => {
        const last = this.#chains.byPlan.get(id)?.events.at(-1)?.kind;
        return last !== 'plan.settled' && last !== 'plan.rejected';
      });
    for (let lastMs = performance.now(); ; await delay(LOOK_AGAIN_MS)) {
      const stored = await this.#readLedger();
      if (stored.some(({ subject }) => this.#plans.has(subject.split('.')[1] ?? ''))) lastMs = performance.now();
      const left = open();
      if (left.length === 0) return [];
      if (performance.now() - lastMs < scaledMs(STUCK_MS)) continue;
      return left.map(({ id }) => {
        const last = this.#chains.byPlan.get(id)?.events.at(-1)?.kind ?? 'nothing';
        return `${id} is left open: its last event is ${last}`;
      });
    }
  }

  async #judge({ plans }: RoundPlan): Promise<string[]> {
    const open = await this.#settled(plans);
    const folds = this.#folds();
    const ends = plans.flatMap((plan) => verdict.endingFindings(plan, folds.get(plan.id) ?? folded([])));
    if (open.length > 0) return [...verdict.forkFindings(this.#chains.foreign, this.#plans), ...open];
    const left = await this.#drained();
    this.#letters.push(...(await this.#new('DEAD')).map(verdict.letterOf));
    const after = this.#folds();
    const documents = await Promise.all(plans.map((plan) => this.#documents(plan, after.get(plan.id))));
    const cancels = isOn(this.#on, 'lost-cancel')
      ? plans.flatMap((plan) => verdict.cancelFindings(plan, after.get(plan.id) ?? folded([]), scaledMs))
      : [];
    return [
      ...ends,
      ...left,
      ...cancels,
      ...verdict.forkFindings(this.#chains.foreign, this.#plans),
      ...verdict.badPlanFindings(after),
      ...verdict.letterFindings(this.#letters, this.#plans),
      ...verdict.answerFindings({
        given: this.#given,
        letters: this.#letters,
        foreign: this.#chains.foreign,
        plans: after,
      }),
      ...documents.flat(),
      ...(await this.#rows(plans)),
      ...(await this.#secrets()),
    ];
  }

  #folds(): Map<string, Folded> {
    return new Map([...this.#chains.byPlan].map(([id, { events }]) => [id, folded(events)]));
  }

  async #documents({ id }: SoakPlan, plan: Folded | undefined): Promise<string[]> {
    if (plan === undefined || plan.phase !== 'settled') return [];
    const findings = await documentFindings(plan, folderReader(path.join(this.#deployment.home, 'world')));
    return findings.map((finding) => `${id}: ${finding}`);
  }

  /** Waits until nothing is left that anybody should do, and looks twice. */
  async #drained(): Promise<string[]> {
    const { core } = this.#deployment;
    // Those of chains that nobody of this version continues are kept for one that can.
    const kept = (): number => {
      const chains = [...this.#chains.byPlan].filter(([id]) => /^(newer|illegal)-/.test(id));
      return chains.reduce((sum, [, { events }]) => sum + events.length, 0);
    };
    let before: Sight = await sightOf(core);
    for (const untilMs = performance.now() + scaledMs(DRAINED_WITHIN_MS); ; ) {
      await delay(BETWEEN_SIGHTS_MS);
      const now = await sightOf(core);
      await this.#readLedger();
      const findings = [...verdict.leftFindings(before, now, kept(), this.#on), ...(await this.#keys())];
      if (findings.length === 0 || performance.now() > untilMs) return findings;
      before = now;
    }
  }

  /** Keys that still have a value: every plan that had some has ended, and its retention is none. */
  async #keys(): Promise<string[]> {
    const stored = await storedIn(this.#deployment.core, 'KV_SCRATCH');
    const held = stored.filter(({ bytes }) => bytes.byteLength > 0);
    return held.slice(0, 3).map(({ subject }) => `a settled plan keeps its key ${subject}`);
  }

  async #rows(plans: readonly SoakPlan[]): Promise<string[]> {
    const pool = new pg.Pool({ connectionString: this.#deployment.stack.info.postgres.url, max: 1 });
    pool.on('error', () => undefined);
    const chains = new Map<string, Chain>();
    for (const { id } of plans) {
      const chain = this.#chains.byPlan.get(id);
      if (chain !== undefined) chains.set(id, chain);
    }
    try {
      for (const untilMs = performance.now() + scaledMs(DRAINED_WITHIN_MS); ; await delay(LOOK_AGAIN_MS)) {
        const late = await behind(pool, chains).catch((error: Error) => [`Postgres cannot be asked: ${error.message}`]);
        if (late.length === 0) break;
        if (performance.now() > untilMs) return [`the projector does not come to the end of ${late.join(', ')}`];
      }
      return await rowFindings(pool, chains);
    } finally {
      await pool.end();
    }
  }

  /** Everywhere that is kept or shown, but for scratch itself. */
  async #secrets(): Promise<string[]> {
    const places = new Map<string, string>();
    for (const [id, { lines }] of this.#chains.byPlan) places.set(`the ledger of ${id}`, lines.join('\n'));
    for (const [name, { log }] of this.#deployment.copies) places.set(`the log of ${name}`, log);
    for (const stream of ['DEAD', 'STREAMS', 'COMMANDS', 'FACTS', 'WORK']) {
      const messages = await storedIn(this.#deployment.core, stream);
      places.set(`the stream ${stream}`, messages.map(({ bytes }) => Buffer.from(bytes).toString('utf8')).join('\n'));
    }
    const executions = await filesBelow(path.join(this.#deployment.home, 'world', 'artifacts', 'executions'));
    const secret = executions.filter((file) => file.includes('-secret'));
    for (const file of secret) places.set(file, await readFile(file, 'utf8'));
    return verdict.secretFindings(SECRET, places);
  }

  #measured({ copies, leftBehind, temporary }: Measures): string[] {
    const grown = [...copies].flatMap(([copy, measure]) => {
      const history = this.#histories.get(copy) ?? new History(copy);
      this.#histories.set(copy, history);
      return history.add(measure, this.#options.judgesMemory);
    });
    return [
      ...grown,
      ...leftBehind.map((one) => `a process was left behind: ${one}`),
      ...temporary
        .filter((file) => isOfTheLiving(file) || isOn(this.#on, 'killed-writes'))
        .map((file) => `a file was left behind: ${file}`),
    ];
  }
}
