/**
 * One durable step that does nothing, by us and by our peers (bench/README.md): 64 jobs in flight, then 50 one after another, then
 * jobs of 100 such steps in parallel; in turns, in one run. `BENCH_ROUNDS` are the rounds, `BENCH_PROFILE` a folder for the CPU
 * profile of our services, `BENCH_QUICK=1` only shows that it works.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { type Bench, type BenchResult, median } from './harness.ts';
import type { Load, Loaded } from './peers/loop.mjs';
import type { Contender } from './plans/contender.ts';
import { type Ours, startOurs } from './plans/ours.ts';
import { installPeers, startDbos, startRestate } from './plans/peers.ts';
import { startBenchPostgres } from './plans/postgres.ts';
import { Processes } from './plans/processes.ts';

const MS_PER_S = 1_000;
const isQuick = process.env.BENCH_QUICK === '1';
const ROUNDS = isQuick ? 1 : Number(process.env.BENCH_ROUNDS ?? 5);
const WIDE_ROUNDS = Math.min(ROUNDS, 3);

const LOADS = isQuick
  ? { warmUp: 2, many: 4, manyMs: 500, idle: 3, fan: 10, fans: 1, wide: 20 }
  : { warmUp: 16, many: 64, manyMs: 5_000, idle: 50, fan: 100, fans: 3, wide: 1_000 };

const WARM_UP: Load = { steps: 1, inFlight: LOADS.warmUp, forMs: LOADS.manyMs / 2 };
const MANY: Load = { steps: 1, inFlight: LOADS.many, forMs: LOADS.manyMs };
const IDLE: Load = { steps: 1, inFlight: 1, count: LOADS.idle };
const FAN: Load = { steps: LOADS.fan, inFlight: 1, count: LOADS.fans };
const WIDE: Load = { steps: LOADS.wide, inFlight: 1, count: 1 };

/** What one contender did in one round. */
interface Turn {
  readonly perS: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly stepsPerS: number;
  readonly cpuMs: Readonly<Record<string, number>>;
}

const perS = ({ count, ms }: Loaded, steps = 1): number => (count * steps * MS_PER_S) / ms;

const quantile = (values: readonly number[], q: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? Number.NaN;

/** CPU in ms a job, by part. */
async function withCpu(contender: Contender, load: Load) {
  const before = contender.cpu(await Processes.look());
  const loaded = await contender.load(load);
  const after = contender.cpu(await Processes.look());
  const cpuMs = Object.fromEntries(
    Object.entries(after).map(([part, ms]) => [part, (ms - (before[part] ?? 0)) / loaded.count]),
  );
  return { loaded, cpuMs };
}

async function turnOf(contender: Contender): Promise<Turn> {
  const { loaded, cpuMs } = await withCpu(contender, MANY);
  const idle = await contender.load(IDLE);
  const fan = await contender.load(FAN);
  const [p50Ms, p99Ms] = [quantile(idle.latenciesMs, 0.5), quantile(idle.latenciesMs, 0.99)];
  const turn = { perS: perS(loaded), p50Ms, p99Ms, stepsPerS: perS(fan, FAN.steps), cpuMs };
  const told = [`${turn.perS.toFixed(1)}/s`, `p50 ${p50Ms.toFixed(1)} ms`, `${turn.stepsPerS.toFixed(0)} steps/s`];
  process.stderr.write(`${contender.name.padEnd(8)} ${told.join(', ')}\n`);
  return turn;
}

/** What the services stored for each plan of a load, by stream. */
async function messagesPerPlan(ours: Ours): Promise<Readonly<Record<string, number>>> {
  const before = await ours.messages();
  const { count } = await ours.load({ ...MANY, inFlight: 8, forMs: 2_000 });
  const after = await ours.messages();
  const counted = Object.entries(after).map(
    ([stream, seq]) => [stream, (seq - (before[stream] ?? 0)) / count] as const,
  );
  return Object.fromEntries(counted.filter(([, messages]) => messages > 0));
}

type Turns = Readonly<Record<string, readonly Turn[]>>;

/** In each round the order is another one. */
async function rounds(contenders: readonly Contender[]): Promise<Turns> {
  const turns: Record<string, Turn[]> = Object.fromEntries(contenders.map(({ name }) => [name, []]));
  for (const contender of contenders) await contender.load(WARM_UP);
  for (let round = 0; round < ROUNDS; round++) {
    process.stderr.write(`round ${round + 1} of ${ROUNDS}\n`);
    for (let n = 0; n < contenders.length; n++) {
      const contender = contenders[(n + round) % contenders.length];
      if (contender !== undefined) turns[contender.name]?.push(await turnOf(contender));
    }
  }
  return turns;
}

/** The cost of a step in a plan of 1,000 over that in one of 100, measured one after the other. */
async function fanOverFan(ours: Ours): Promise<number> {
  const ratios: number[] = [];
  for (let round = 0; round < WIDE_ROUNDS; round++) {
    const small = await ours.load(FAN);
    const wide = await ours.load(WIDE);
    ratios.push(perS(small, FAN.steps) / perS(wide, WIDE.steps));
  }
  return median(ratios);
}

/** Ours over the better of the peers, round by round. */
function overBest(turns: Turns, of: (turn: Turn) => number, best: (...values: number[]) => number): number[] {
  const { ours = [], ...peers } = turns;
  return ours.map((turn, round) => {
    const theirs = Object.values(peers).flatMap((all) => all[round] ?? []);
    return of(turn) / best(...theirs.map(of));
  });
}

function figuresOf(turns: Turns): Record<string, number> {
  const figures: Record<string, number> = {};
  for (const [name, all] of Object.entries(turns)) {
    figures[`${name}_per_s`] = median(all.map(({ perS }) => perS));
    figures[`${name}_p50_ms`] = median(all.map(({ p50Ms }) => p50Ms));
    figures[`${name}_p99_ms`] = median(all.map(({ p99Ms }) => p99Ms));
    figures[`${name}_steps_per_s`] = median(all.map(({ stepsPerS }) => stepsPerS));
    for (const part of Object.keys(all[0]?.cpuMs ?? {})) {
      figures[`${name}_cpu_ms_${part}`] = median(all.map(({ cpuMs }) => cpuMs[part] ?? 0));
    }
  }
  return figures;
}

function resultOf(turns: Turns, fan: number, messages: Readonly<Record<string, number>>): BenchResult {
  const plans = overBest(turns, ({ perS }) => perS, Math.max);
  const p50 = overBest(turns, ({ p50Ms }) => p50Ms, Math.min);
  const steps = overBest(turns, ({ stepsPerS }) => stepsPerS, Math.max);
  const ratios = {
    per_s_over_best_peer: median(plans),
    p50_over_best_peer: median(p50),
    steps_per_s_over_best_peer: median(steps),
    fan_1000_over_100: fan,
  };
  const figures = {
    cpu_ms_per_plan: median((turns.ours ?? []).map(({ cpuMs }) => cpuMs.services ?? 0)),
    messages_per_plan: Object.values(messages).reduce((all, one) => all + one, 0),
    per_s_over_best_peer_worst: Math.min(...plans),
    p50_over_best_peer_worst: Math.max(...p50),
    steps_per_s_over_best_peer_worst: Math.min(...steps),
    ...figuresOf(turns),
  };
  const byStream = Object.entries(messages).map(([stream, count]) => `${stream} ${count.toFixed(2)}`);
  return {
    ratios,
    figures,
    notes: [
      'p50 and fan are times: less is better',
      'cpu_ms_… is a one-step plan or job at 64 in flight; cpu_ms_per_plan is that of our services',
      `stored messages a one-step plan: ${byStream.join(', ')}`,
    ],
  };
}

async function newDatabase(url: string, name: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`create database ${name}`);
  await client.end();
  const own = new URL(url);
  own.pathname = `/${name}`;
  return own.href;
}

export const bench: Bench = async () => {
  await installPeers();
  const home = await mkdtemp(path.join(os.tmpdir(), 'isomorph-bench-plans-'));
  const postgres = await startBenchPostgres();
  const contenders: Contender[] = [];
  try {
    const [dbosUrl, oursUrl] = [await newDatabase(postgres.url, 'dbos'), await newDatabase(postgres.url, 'isomorph')];
    contenders.push(await startDbos(dbosUrl, postgres.pid), await startRestate(path.join(home, 'restate')));
    const profile = process.env.BENCH_PROFILE;
    const ours = await startOurs({
      home: path.join(home, 'ours'),
      databaseUrl: oursUrl,
      postgres: postgres.pid,
      ...(profile === undefined ? {} : { profileDir: profile }),
    });
    contenders.push(ours);
    const turns = await rounds(contenders);
    return resultOf(turns, await fanOverFan(ours), await messagesPerPlan(ours));
  } finally {
    for (const contender of contenders) await contender.stop();
    await postgres.stop();
    await rm(home, { recursive: true, force: true });
  }
};
