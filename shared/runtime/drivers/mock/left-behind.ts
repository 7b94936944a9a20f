/**
 * Processes that a run left outside its process group (`setsid`, a daemon). Node cannot make itself their subreaper, so they
 * are found by what they inherit: the run's own folder, as their HOME or, for those without any, as where they stand. Only
 * Linux tells; elsewhere the process group must do.
 */
import { readdir, readFile, readlink } from 'node:fs/promises';
import path from 'node:path';

export interface RunPlace {
  /** No pid that the run gave out is older: that of its wrapper, or the newest there was when a parked one got its job. */
  readonly firstPid: number;
  /** Of the run: Unix time in milliseconds. */
  readonly startMs: number;
  readonly root: string;
  /** HOME of what runs. */
  readonly work: string;
}

/** Beyond this the kernel may have given out every pid once: all processes are looked at. */
const FEW_PIDS_MS = 60_000;
/** Who is killed may have forked just before. */
const MAX_ROUNDS = 20;

/** A process that is gone, or not ours to look at, is none of the run. */
const orNothing = (reading: Promise<string>): Promise<string> => reading.catch(() => '');

/** Those that the kernel gave out since the run began, which is nearly always few: it counts up. Pure. */
export function pidsSince(pids: readonly number[], first: number, last: number): number[] {
  return pids.filter((pid) => (last >= first ? pid >= first && pid <= last : pid >= first || pid <= last));
}

/** The newest pid that the kernel gave out; undefined where it does not tell. */
export async function newestPid(): Promise<number | undefined> {
  const last = Number((await orNothing(readFile('/proc/loadavg', 'utf8'))).trim().split(' ').at(-1) || Number.NaN);
  return Number.isNaN(last) ? undefined : last;
}

async function candidates({ firstPid, startMs }: RunPlace): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const others = pids.filter((one) => one > 1 && one !== process.pid);
  if (Date.now() - startMs > FEW_PIDS_MS) return others;
  const last = await newestPid();
  return last === undefined ? others : pidsSince(others, firstPid, last);
}

async function belongs(pid: number, { root, work }: RunPlace): Promise<boolean> {
  const [environment, standsIn] = await Promise.all([
    orNothing(readFile(`/proc/${pid}/environ`, 'utf8')),
    orNothing(readlink(`/proc/${pid}/cwd`)),
  ]);
  const home = environment.split('\0').find((variable) => variable.startsWith('HOME='));
  // A person who looks into the folder has a home of their own.
  if (home !== undefined) return home === `HOME=${work}`;
  return `${standsIn}/`.startsWith(`${root}${path.sep}`);
}

/** Ends what is left of a run, until nothing is found any more. */
export async function endLeftBehind(run: RunPlace): Promise<void> {
  if (process.platform !== 'linux') return;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const pids = await candidates(run);
    const left = (await Promise.all(pids.map(async (pid) => ((await belongs(pid, run)) ? [pid] : [])))).flat();
    if (left.length === 0) return;
    for (const pid of left) killNow(pid);
  }
}

function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
