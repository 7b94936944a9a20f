/**
 * Child processes of the embedded stack: start, bounded end, who is alive, free loopback ports.
 * Only processes that this stack started are ever signalled: a child by its handle, a left-over by its exact arguments.
 */
import { type ChildProcess, execFile } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { keepProcess } from './keeper.ts';

const run = promisify(execFile);

/** How often a process that was told to end is looked at. */
const LOOK_AGAIN_MS = 20;

/** How a child ended: its exit code, or the signal that ended it. */
export interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Child {
  readonly pid: number;
  /** Settles once, when the process has ended; never rejects. */
  readonly ended: Promise<ChildEnd>;
  hasEnded(): boolean;
  /** Sends `signal` (SIGTERM unless told), waits `graceMs`, then SIGKILL. Safe to call again. */
  stop(options: { graceMs: number; signal?: NodeJS.Signals }): Promise<ChildEnd>;
}

const liveChildren = new Set<ChildProcess>();
let endsChildrenAtExit = false;

/** A parent that exits takes its children along. For one that is killed a keeper does it, else the next start. */
function endWithParent(child: ChildProcess): void {
  liveChildren.add(child);
  child.once('exit', () => liveChildren.delete(child));
  if (endsChildrenAtExit) return;
  endsChildrenAtExit = true;
  process.once('exit', () => {
    for (const live of liveChildren) live.kill('SIGTERM');
  });
}

/**
 * Takes charge of a spawned child: bounded stop, and an end with its parent.
 * @param onUnexpectedEnd called when the child ends without `stop()` having been called.
 * @throws the spawn's own error (ENOENT, EACCES) when the program could not be started.
 */
export async function adopt(child: ChildProcess, onUnexpectedEnd?: (end: ChildEnd) => void): Promise<Child> {
  let stopping = false;
  let end: ChildEnd | undefined;
  const ended = new Promise<ChildEnd>((resolve) => {
    child.once('exit', (code, signal) => {
      end = { code, signal };
      resolve(end);
      if (!stopping) onUnexpectedEnd?.(end);
    });
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  const { pid } = child;
  if (pid === undefined) throw new Error('a spawned child has no pid');
  endWithParent(child);
  const startedAt = await startTimeOf(pid);
  if (startedAt !== undefined) keepProcess(pid, startedAt);
  return {
    pid,
    ended,
    hasEnded: () => end !== undefined,
    stop: async ({ graceMs, signal = 'SIGTERM' }) => {
      stopping = true;
      if (end !== undefined) return end;
      child.kill(signal);
      const killer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      try {
        return await ended;
      } finally {
        clearTimeout(killer);
      }
    },
  };
}

const errorCode = (thrown: unknown): string | undefined =>
  thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined;

/** Whether a process of this pid exists (one that ended but was not yet collected by its parent counts as gone). */
export async function isAlive(pid: number): Promise<boolean> {
  return (await startTimeOf(pid)) !== undefined;
}

/**
 * When the process started, in the system's own notation: with the pid it names a process for good, because pids are
 * used again. `undefined` when there is no such process.
 */
export async function startTimeOf(pid: number): Promise<string | undefined> {
  if (process.platform === 'linux') {
    try {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
      // The second field is the program's name in brackets and may hold anything: fields count from its last bracket.
      const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return state === 'Z' || state === 'X' ? undefined : fields[18];
    } catch (thrown) {
      if (errorCode(thrown) === 'ENOENT' || errorCode(thrown) === 'ESRCH') return undefined;
      throw thrown;
    }
  }
  try {
    const { stdout } = await run('ps', ['-o', 'stat=,lstart=', '-p', String(pid)]);
    const [state = '', ...started] = stdout.trim().split(/\s+/);
    return state === '' || state.startsWith('Z') ? undefined : started.join(' ');
  } catch (thrown) {
    // `ps` leaves with 1 when it found nothing; anything else is a fault of its own.
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 1) return undefined;
    throw thrown;
  }
}

interface RunningProcess {
  readonly pid: number;
  /** NUL-separated on Linux, where /proc is exact; space-separated elsewhere. */
  readonly commandLine: string;
}

async function runningProcesses(): Promise<RunningProcess[]> {
  if (process.platform === 'linux') {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
    const found = await Promise.all(
      pids.map(async (pid) => ({
        pid,
        // A process may end, or belong to another user, between the listing and the reading: not one of ours.
        commandLine: await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''),
      })),
    );
    return found.filter(({ commandLine }) => commandLine !== '');
  }
  const { stdout } = await run('ps', ['-axo', 'pid=,command='], { maxBuffer: 16 * 1024 * 1024 });
  return stdout.split('\n').flatMap((line) => {
    const [, pid, commandLine] = /^\s*(\d+) (.*)$/.exec(line) ?? [];
    return pid === undefined || commandLine === undefined ? [] : [{ pid: Number(pid), commandLine }];
  });
}

/** Pids of processes whose command line ends with exactly these arguments: how a left-over of ours is recognised. */
export async function findByLastArguments(args: readonly string[]): Promise<number[]> {
  const separator = process.platform === 'linux' ? '\0' : ' ';
  const ending = separator + args.join(separator);
  return (await runningProcesses())
    .filter(({ pid, commandLine }) => pid !== process.pid && commandLine.replace(/\0$/, '').endsWith(ending))
    .map(({ pid }) => pid);
}

/** Sends a signal to a process that is no child of ours. A process that is already gone is no error. */
function signalPid(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (thrown) {
    if (errorCode(thrown) !== 'ESRCH') throw thrown;
  }
}

/** Ends a process that is no child of ours: SIGTERM, `graceMs` of waiting, SIGKILL. Returns once it is gone. */
export async function endPid(pid: number, options: { graceMs: number }): Promise<void> {
  const startedAt = await startTimeOf(pid);
  if (startedAt === undefined) return;
  signalPid(pid, 'SIGTERM');
  let killAt = Date.now() + options.graceMs;
  // The start time is compared each time, so that another process that got the same pid is left alone.
  while ((await startTimeOf(pid)) === startedAt) {
    if (Date.now() >= killAt) {
      signalPid(pid, 'SIGKILL');
      killAt = Number.POSITIVE_INFINITY;
    }
    await delay(LOOK_AGAIN_MS);
  }
}

/** Whether a server could listen on this port of 127.0.0.1 now. */
export async function isPortFree(port: number): Promise<boolean> {
  return (await tryListen(port)) !== undefined;
}

/**
 * Below what systems give to outgoing connections (Linux from 32768, others from 49152): while a server is started again
 * on its port, no connection of somebody else gets it.
 */
const LASTING_PORTS = { first: 20_000, end: 32_000 } as const;
const LASTING_TRIES = 20;

/**
 * A port of 127.0.0.1 that is free at this moment: `preferred` if it is, else one that a server can have again later.
 * Another process may take it before it is used: callers try again with a new one when their server cannot bind.
 */
export async function freeLoopbackPort(preferred?: number): Promise<number> {
  const wanted = preferred === undefined ? undefined : await tryListen(preferred);
  if (wanted !== undefined) return wanted;
  for (let tries = 0; tries < LASTING_TRIES; tries++) {
    const port = await tryListen(randomInt(LASTING_PORTS.first, LASTING_PORTS.end));
    if (port !== undefined) return port;
  }
  const any = await tryListen(0);
  if (any === undefined) throw new Error('the system has no free port on 127.0.0.1');
  return any;
}

function tryListen(port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error) => {
      const code = errorCode(error);
      if (code === 'EADDRINUSE' || code === 'EACCES') resolve(undefined);
      else reject(error);
    });
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      const address = probe.address();
      probe.close(() => resolve(address !== null && typeof address === 'object' ? address.port : undefined));
    });
  });
}
