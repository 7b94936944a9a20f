import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { signalGroup, startIn } from './launch.ts';
import { newestPid } from './left-behind.ts';
import type { Program } from './program.ts';
import { kernelStartTime, type ProcessId, RunFolder } from './run-folder.ts';

/**
 * Processes started ahead, each for one execution: Node and nothing of any plan. An execution has the process of its own
 * that it would have without, and does not wait for it to start (ADR 125).
 */
export interface ParkingOptions {
  /** Where the folders of parked processes are, on the disk of the runs' folders. */
  readonly parkedDir: string;
  /** Parked at once; 0 is never. */
  readonly atMost: number;
  /** What was not asked for in this time is not parked any more, but for one. */
  readonly idleMs: number;
}

/** A process that waits for its job. */
export interface Parked {
  readonly folder: RunFolder;
  readonly child: ChildProcess;
  readonly pid: number;
  readonly startedAt: string;
}

const PROGRAM = fileURLToPath(new URL('./parked.mjs', import.meta.url));

/** What Node and the loader read as a process starts: too late for it in one that has started. */
const READ_AT_START = /^(?:NODE|UV|LD|DYLD|OPENSSL|SSL|LC)_|^(?:LANG|TZ|PATH)$/;

/** Whether a parked process can run it as one that is started for it would. */
export const isParkable = ({ command }: Program, secrets: Readonly<Record<string, string>>): boolean =>
  command[0] === process.execPath &&
  path.isAbsolute(command[1] ?? '') &&
  !Object.keys(secrets).some((name) => READ_AT_START.test(name));

export class Parking {
  readonly #options: ParkingOptions;
  readonly #waiting = new Set<Parked>();
  #asked: number[] = [];
  #work: Promise<void> = Promise.resolve();
  #later: NodeJS.Timeout | undefined;
  #isClosed = false;
  #owner: string | undefined;

  constructor(options: ParkingOptions) {
    this.#options = options;
  }

  /** A process that is the caller's from now on; undefined when none waits. More are parked by demand. */
  take(): Parked | undefined {
    this.#asked.push(performance.now());
    for (const parked of this.#waiting) {
      this.#waiting.delete(parked);
      return parked;
    }
    return undefined;
  }

  /** A folder for a run: of this process, until it gets the name of an execution. */
  async prepare(): Promise<RunFolder> {
    // By it a later process knows whether we live.
    this.#owner ??= `${process.pid}-${await kernelStartTime(process.pid)}`;
    return RunFolder.prepare(this.#options.parkedDir, `${this.#owner}-${randomBytes(6).toString('hex')}`);
  }

  /** Parks one more than was asked for of late, and ends what is too many. Never rejects. */
  tend(): Promise<void> {
    // What fails here fails the next start of a run too, where it is told.
    this.#work = this.#work.then(() => this.#tend()).catch(() => undefined);
    return this.#work;
  }

  /** Removes what processes that were killed have left here. What they had parked has ended by itself. */
  async sweep(): Promise<void> {
    const { parkedDir } = this.#options;
    for (const name of await readdir(parkedDir).catch(() => [])) {
      const [pid = '', startedAt] = name.split('-');
      if (startedAt === (await kernelStartTime(Number(pid)))) continue;
      await rm(path.join(parkedDir, name), { recursive: true, force: true });
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#later);
    await this.#work;
    await Promise.all([...this.#waiting].map((parked) => this.discard(parked)));
  }

  /** Ends one that got no job. */
  async discard({ child, pid, folder }: Parked): Promise<void> {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    signalGroup(pid, 'SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await ended;
    await folder.remove();
  }

  async #tend(): Promise<void> {
    const { atMost, idleMs } = this.#options;
    const nowMs = performance.now();
    this.#asked = this.#asked.filter((askedMs) => nowMs - askedMs < idleMs);
    const wanted = (): number => (this.#isClosed ? 0 : Math.min(atMost, this.#asked.length + 1));
    for (const parked of this.#waiting) {
      if (this.#waiting.size <= wanted()) break;
      this.#waiting.delete(parked);
      await this.discard(parked);
    }
    while (this.#waiting.size < wanted()) this.#waiting.add(await this.#park());
    clearTimeout(this.#later);
    if (this.#asked.length > 0 && !this.#isClosed) this.#later = setTimeout(() => void this.tend(), idleMs).unref();
  }

  async #park(): Promise<Parked> {
    const folder = await this.prepare();
    try {
      const child = await startIn(folder, [process.execPath, PROGRAM], {}, 'pipe');
      const { pid = 0 } = child;
      const parked = { folder, child, pid, startedAt: await kernelStartTime(pid) };
      // Who is gone gets no job: its run is found lost.
      ordersOf(child)
        .on('error', () => undefined)
        .unref();
      child.unref();
      child.once('exit', () => {
        if (this.#waiting.delete(parked)) void folder.remove().catch(() => undefined);
      });
      return parked;
    } catch (error) {
      await folder.remove();
      throw error;
    }
  }
}

const ordersOf = (child: ChildProcess): Socket => child.stdio[3] as Socket;

/** What is written down of a parked process before it gets its job. */
export async function identityOf({ pid, startedAt }: Parked): Promise<ProcessId> {
  return { pid, startedAt, startMs: Date.now(), newestPid: (await newestPid()) ?? pid };
}

/** Makes a parked process the run of the folder that was its own. */
export function begin(
  { child }: Parked,
  run: RunFolder,
  { command: [, program = '', ...rest] }: Program,
  secrets: Readonly<Record<string, string>>,
): void {
  const env = { HOME: run.work, TMPDIR: run.temp, PWD: run.work, ...secrets };
  ordersOf(child).end(`${JSON.stringify({ cwd: run.work, env, program, rest })}\n`);
}
