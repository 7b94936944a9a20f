/**
 * The local runtime against the bare engine: the same container (image, limits, isolation, job on standard input) created,
 * started, waited for and removed by the client library alone. `cold` is ours doing all of that (goal: at most 1.1),
 * `parked` from job to result on a container that was parked ahead (goal: at most 0.1), both as time over the bare
 * engine's, in turns. The processor does nothing but say one line.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import { containerSpec } from '../shared/runtime/drivers/local/container-spec.ts';
import { openEngine } from '../shared/runtime/drivers/local/engine.ts';
import { Images } from '../shared/runtime/drivers/local/images.ts';
import type { LocalRuntime } from '../shared/runtime/drivers/local/local.ts';
import { available } from '../test/harness/servers/index.ts';
import { bootActor } from '../test/runtime/local-images.ts';
import { assignmentOf, type LocalUnderTest, localUnderTest } from '../test/runtime/local-under-test.ts';
import { type BenchResult, inParallel, median } from './harness.ts';

const ROUNDS = 11;
const EXECUTIONS = 24;
const AT_ONCE = [2, 4, 8];

type Turn = () => Promise<number>;

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}

/** One execution from job to forgotten. */
async function execute(runtime: LocalRuntime): Promise<void> {
  const one = assignmentOf(bootActor());
  const { outcome } = await (await runtime.run(one)).wait();
  if (outcome.kind !== 'exited' || outcome.exitCode !== 0) throw new Error(`a run ended as ${JSON.stringify(outcome)}`);
  await runtime.forget(one.executionId);
}

async function bareTurn({ engine, docker }: LocalUnderTest): Promise<Turn> {
  const ours = await openEngine(docker.dockerHost);
  const processor = bootActor();
  const image = await new Images(ours).resolve(processor);
  const { cpus } = await ours.about();
  const spec: Docker.ContainerCreateOptions = containerSpec({
    image,
    processor,
    cpus,
    secrets: {},
    labels: {},
    network: { kind: 'none' },
  });
  return () =>
    timed(async () => {
      const container = await engine.createContainer(spec);
      const stream = await ours.attach(container.id);
      stream.resume().end(`${JSON.stringify(assignmentOf(processor).job)}\n`);
      await container.start();
      const { StatusCode } = (await container.wait()) as { StatusCode: number };
      if (StatusCode !== 0) throw new Error(`the bare container ended with ${StatusCode}`);
      await container.remove();
    });
}

const parkedOf = async (its: LocalUnderTest): Promise<number> =>
  (await its.left()).containers.filter((name) => name.startsWith('iso-parked-')).length;

/** From job to result; that a container waits, and that it goes, is not timed. */
function parkedTurn(its: LocalUnderTest, runtime: LocalRuntime): Turn {
  return async () => {
    while ((await parkedOf(its)) === 0) await delay(20);
    // Started is not loaded: parked ahead means that it has waited for a while.
    await delay(500);
    const one = assignmentOf(bootActor());
    const ms = await timed(async () => (await runtime.run(one)).wait());
    await runtime.forget(one.executionId);
    return ms;
  };
}

async function inTurns(turns: Readonly<Record<string, Turn>>): Promise<Record<string, number[]>> {
  const names = Object.keys(turns);
  const times: Record<string, number[]> = Object.fromEntries(names.map((name) => [name, []]));
  // The first round warms up and does not count.
  for (let round = 0; round <= ROUNDS; round++) {
    const order = names.map((_, index) => names[(index + round) % names.length] ?? '');
    for (const name of order) {
      const ms = await turns[name]?.();
      if (round > 0 && ms !== undefined) times[name]?.push(ms);
    }
  }
  return times;
}

async function perSecond(runtime: LocalRuntime, atOnce: number): Promise<number> {
  const ms = await timed(() => inParallel(EXECUTIONS, atOnce, () => execute(runtime)));
  return (EXECUTIONS * 1_000) / ms;
}

async function proportionalMib(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
  return Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? Number.NaN) / 1024;
}

/** What an execution that waits takes: its container by the engine's account, and the engine's process beside it. */
async function memory({ runtime, engine, left }: LocalUnderTest): Promise<Record<string, number>> {
  const one = assignmentOf(bootActor(), { mode: 'hang' });
  let begun: () => void = () => undefined;
  const whenBegun = new Promise<void>((resolve) => {
    begun = resolve;
  });
  await runtime.run(one, () => begun());
  await whenBegun;
  const name = (await left()).containers.find((each) => each.includes(one.executionId)) ?? '';
  const container = engine.getContainer(name);
  const { memory_stats: stats } = await container.stats({ stream: false });
  const { State } = await container.inspect();
  const status = await readFile(`/proc/${State.Pid}/status`, 'utf8').catch(() => '');
  const shim = Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1]);
  const shimMib = await proportionalMib(shim);
  await runtime.forget(one.executionId);
  const inside = (stats.usage - (stats.stats?.inactive_file ?? 0)) / 2 ** 20;
  return { memory_container_mib: inside, memory_shim_mib: shimMib };
}

export async function bench(): Promise<BenchResult> {
  const found = await available('docker');
  if (!found.ok) throw new Error(found.reason);
  const its = await localUnderTest({ parked: 0 });
  try {
    const parking = await its.another({ parked: 1, parkedIdleMs: 3_600_000 });
    await execute(parking);
    const {
      bare = [],
      cold = [],
      parked = [],
    } = await inTurns({
      bare: await bareTurn(its),
      cold: () => timed(() => execute(its.runtime)),
      parked: parkedTurn(its, parking),
    });
    await parking.close();
    const over = (ours: readonly number[]): number => median(ours.map((ms, round) => ms / (bare[round] ?? Number.NaN)));
    const figures: Record<string, number> = {
      bare_ms: median(bare),
      cold_ms: median(cold),
      parked_ms: median(parked),
      ...(await memory(its)),
    };
    const pooled = await its.another();
    for (const atOnce of AT_ONCE) {
      figures[`cold_per_s_at_${atOnce}`] = await perSecond(its.runtime, atOnce);
      figures[`pooled_per_s_at_${atOnce}`] = await perSecond(pooled, atOnce);
    }
    const ratios = { cold: over(cold), parked: over(parked) };
    return { ratios, figures, notes: ['ratios of this bench are times: less is better'] };
  } finally {
    await its.stop();
  }
}
