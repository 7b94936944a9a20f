/** What processes hold when nothing is to be done: memory, descriptors, children, files. */
import { existsSync } from 'node:fs';
import { readdir, readFile, readlink } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Deployment, filesBelow } from './deployment.ts';
import type { Copy } from './faults.ts';

export interface Measure {
  readonly pid: number;
  readonly rssMb: number;
  readonly descriptors: number;
  /** After a collection of garbage; undefined when the process did not tell in time. */
  readonly heapMb: number | undefined;
}

export interface Measures {
  readonly copies: ReadonlyMap<Copy, Measure>;
  /** Files in places that are for what is under way only. */
  readonly temporary: readonly string[];
  /** Processes of runs, and such as outlived their service: each as a command line. */
  readonly leftBehind: readonly string[];
}

const MB = 1024 * 1024;
const TOLD_WITHIN_MS = 5_000;

async function heapOf(pid: number, probes: string): Promise<number | undefined> {
  const file = path.join(probes, `${pid}.json`);
  const before = await readFile(file, 'utf8').catch(() => '');
  process.kill(pid, 'SIGUSR2');
  for (let waitedMs = 0; waitedMs < TOLD_WITHIN_MS; waitedMs += 50) {
    await delay(50);
    const text = await readFile(file, 'utf8').catch(() => '');
    if (text !== before) return (JSON.parse(text) as { heap: number }).heap / MB;
  }
  return undefined;
}

async function measureOf(pid: number, probes: string): Promise<Measure> {
  const heapMb = await heapOf(pid, probes);
  const [descriptors, status] = await Promise.all([
    readdir(`/proc/${pid}/fd`),
    readFile(`/proc/${pid}/status`, 'utf8'),
  ]);
  const rssKb = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
  return { pid, rssMb: rssKb / 1024, descriptors: descriptors.length, heapMb };
}

/** Of every process of the machine that is of this soak: by its home, or by the folder of probes that only services know. */
async function strangers({ home, copies }: Deployment): Promise<string[]> {
  const services = new Set([...copies.values()].map(({ pid }) => pid));
  const left: string[] = [];
  for (const name of (await readdir('/proc')).filter((one) => /^\d+$/.test(one))) {
    const pid = Number(name);
    const of = (file: string): Promise<string> => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
    const [environment, command, stat] = await Promise.all([of('environ'), of('cmdline'), of('stat')]);
    // It waits for a job: no more than a few, of a service that lives.
    const owner = /\/mock\/parked\/(\d+)-/.exec(await readlink(`/proc/${pid}/cwd`).catch(() => ''))?.[1];
    if (owner !== undefined && services.has(Number(owner))) continue;
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    const isRun = environment.split('\0').some((one) => one.startsWith(`HOME=${home}/`));
    const isOrphan = environment.includes(`SOAK_PROBE_DIR=${home}`) && !services.has(pid) && !services.has(parent);
    if (isRun || isOrphan) left.push(`${pid} ${command.replaceAll('\0', ' ').trim()}`);
  }
  return left;
}

const UNDER_WAY = ['tmp', 'world/.isomorph/temporary', 'world/.isomorph/staging', 'mock/runs'] as const;

/** What a killed process was writing carries its pid, and stays until a sweep. */
export function isOfTheLiving(file: string): boolean {
  const pid = /\/temporary\/(\d+)-/.exec(file)?.[1];
  return pid === undefined || existsSync(`/proc/${pid}`);
}

export async function measuresOf(deployment: Deployment): Promise<Measures> {
  const { home, copies } = deployment;
  const probes = path.join(home, 'probes');
  const measured = await Promise.all(
    [...copies].map(async ([copy, { pid }]) => [copy, await measureOf(pid ?? 0, probes)] as const),
  );
  const files = await Promise.all(UNDER_WAY.map((folder) => filesBelow(path.join(home, folder))));
  return {
    copies: new Map(measured),
    temporary: files
      .flat()
      .filter(isOfTheLiving)
      .map((file) => path.relative(home, file)),
    leftBehind: await strangers(deployment),
  };
}
