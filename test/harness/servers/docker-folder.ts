/** What an engine leaves on the machine beside its folder's files: processes and mounts. All of it names the folder. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { endPid, startTimeOf } from '../../../stack/process.ts';

const run = promisify(execFile);

const PREFIX = 'isomorph-docker-';
/** Names the test process that the folder belongs to, by pid and start time. */
const OWNER = 'owner.json';

/** A folder for one engine, marked as ours, so that a later run can clear it away should this process be killed. */
export async function createEngineFolder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), PREFIX));
  const owner = { pid: process.pid, startedAt: await startTimeOf(process.pid) };
  await writeFile(join(dir, OWNER), JSON.stringify(owner));
  return dir;
}

interface RunningProcess {
  readonly pid: number;
  readonly parent: number;
  readonly commandLine: string;
}

/** A process may end while it is looked at: it is not there then. */
async function runningProcesses(): Promise<RunningProcess[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const processes = pids.map(async (pid): Promise<RunningProcess> => {
    const [stat, commandLine] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ''),
      readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''),
    ]);
    const [, parent = '0'] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { pid, parent: Number(parent), commandLine };
  });
  return Promise.all(processes);
}

/** dockerd, containerd and the shims name the folder; what runs in a container is a child of its shim. */
async function endProcesses(dir: string): Promise<void> {
  const processes = await runningProcesses();
  const named = processes.filter(({ commandLine }) => commandLine.includes(`${dir}/`));
  const shims = new Set(
    named.filter(({ commandLine }) => commandLine.includes('containerd-shim')).map(({ pid }) => pid),
  );
  const daemons = named.filter(({ pid }) => !shims.has(pid) && pid !== process.pid);
  for (const { pid } of daemons) await endPid(pid, { graceMs: 0 });
  for (const { pid } of processes.filter(({ parent }) => shims.has(parent))) await endPid(pid, { graceMs: 0 });
  for (const pid of shims) await endPid(pid, { graceMs: 0 });
}

/** Mount points under the folder, in the order in which they were made. */
async function mountsUnder(dir: string): Promise<string[]> {
  const table = await readFile('/proc/self/mountinfo', 'utf8');
  const points = table.split('\n').map((line) => line.split(' ')[4] ?? '');
  return points.filter((point) => point.startsWith(`${dir}/`));
}

/**
 * Ends whatever still runs on the folder, unmounts what is mounted under it, and removes it.
 * @throws Error when something stays mounted: nothing is removed then, for it could be removed through the mount.
 */
export async function clearEngineFolder(dir: string): Promise<void> {
  await endProcesses(dir);
  const faults: string[] = [];
  for (const point of (await mountsUnder(dir)).reverse()) {
    await run('umount', ['--lazy', point]).catch((thrown: unknown) => faults.push(String(thrown)));
  }
  // A mount that another process was first to remove is a fault that does not matter.
  if ((await mountsUnder(dir)).length > 0) throw new Error(faults.join('\n'));
  // First out of the way: another process that clears it too sees all of it or nothing.
  const removed = `${dir}.removed`;
  await rename(dir, removed).catch(ignoreMissing);
  await rm(removed, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}

async function isAbandoned(dir: string): Promise<boolean> {
  const text = await readFile(join(dir, OWNER), 'utf8').catch(() => '');
  if (!text.endsWith('}')) return false;
  const { pid, startedAt } = JSON.parse(text) as { pid: number; startedAt?: string };
  return (await startTimeOf(pid)) !== startedAt;
}

/** Clears the folders of test processes that were killed before they could do it. */
export async function clearAbandonedFolders(): Promise<void> {
  const names = (await readdir(tmpdir())).filter((name) => name.startsWith(PREFIX));
  for (const name of names) {
    const dir = join(tmpdir(), name);
    if (await isAbandoned(dir)) await clearEngineFolder(dir);
  }
}
