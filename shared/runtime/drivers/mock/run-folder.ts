import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeFileSync } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { KEPT_LOG_BYTES } from '../../log-tail.ts';
import type { StopReason } from '../../outcome.ts';

/** Kept of a log; what is older goes when it grows beyond. Of what came between two looks the end is read. */
export const LOG_LIMITS = {
  kept_bytes: KEPT_LOG_BYTES,
  rewrite_bytes: 4 * 1024 * 1024,
  look_bytes: KEPT_LOG_BYTES,
} as const;

export interface ProcessId {
  readonly pid: number;
  /** Start time as the kernel counts it, so that a reused pid is not taken for ours; empty where it is not known. */
  readonly startedAt: string;
  /** When it got its job: Unix time in milliseconds. */
  readonly startMs: number;
  /** The newest pid there was then, for a process that was started before; its own for one that was started for the job. */
  readonly newestPid?: number;
}

/** A processor that writes faster than its log is put aside is not waited for. */
const MAX_ROUNDS = 5;

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

/** Undefined where there is nothing, as of a run that somebody forgets meanwhile. */
const ifThere = <T>(reading: Promise<T>): Promise<T | undefined> =>
  reading.catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });

function openIfThere(file: string): number | undefined {
  try {
    return openSync(file, 'r+');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

const readText = (file: string): Promise<string | undefined> => ifThere(readFile(file, 'utf8'));

/**
 * Field 22 of /proc/<pid>/stat (proc(5)); empty on systems without it, and for a process that has ended and was not
 * collected: where nobody collects orphans it would seem to run for ever.
 */
export async function kernelStartTime(pid: number): Promise<string> {
  const text = await readText(`/proc/${pid}/stat`).catch(() => undefined);
  const [state, ...fields] = text?.slice(text.lastIndexOf(')') + 2).split(' ') ?? [];
  return state === 'Z' ? '' : (fields[18] ?? '');
}

/** What a run leaves on disk: enough to take it up again after this process was killed. */
export class RunFolder {
  readonly root: string;

  constructor(runsDir: string, executionId: string) {
    this.root = path.join(runsDir, executionId);
  }

  /** A folder with everything in it but a job. */
  static async prepare(parkedDir: string, name: string): Promise<RunFolder> {
    const folder = new RunFolder(parkedDir, name);
    await mkdir(parkedDir, { recursive: true });
    await mkdir(folder.root, { mode: 0o700 });
    await Promise.all([mkdir(folder.work), mkdir(folder.temp)]);
    await Promise.all([writeFile(folder.job, '', { mode: 0o600 }), writeFile(folder.log, '')]);
    return folder;
  }

  /**
   * The same folder as that of an execution, with its job; undefined, and gone, when the execution has one already. The
   * name is the lock, and whoever finds the folder finds it whole.
   */
  async become(runsDir: string, executionId: string, job: string): Promise<RunFolder | undefined> {
    const run = new RunFolder(runsDir, executionId);
    await Promise.all([mkdir(runsDir, { recursive: true }), writeFile(this.job, `${job}\n`)]);
    try {
      await rename(this.root, run.root);
      return run;
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
      await this.remove();
      return undefined;
    }
  }

  #file = (name: string): string => path.join(this.root, name);

  get #aside(): string {
    return this.#file('log.before');
  }

  get job(): string {
    return this.#file('job.json');
  }
  get log(): string {
    return this.#file('log');
  }
  get work(): string {
    return this.#file('work');
  }
  get temp(): string {
    return this.#file('tmp');
  }

  async exists(): Promise<boolean> {
    return (await stat(this.root).catch(() => undefined)) !== undefined;
  }

  async saveProcess(id: ProcessId): Promise<void> {
    await this.#save('process.json', JSON.stringify(id));
  }

  async process(): Promise<ProcessId | undefined> {
    const text = await readText(this.#file('process.json'));
    return text === undefined ? undefined : (JSON.parse(text) as ProcessId);
  }

  async saveStop(reason: StopReason): Promise<void> {
    await this.#save('stop', reason);
  }

  async stopReason(): Promise<StopReason | undefined> {
    const text = await readText(this.#file('stop'));
    return text === 'timed_out' || text === 'killed' ? text : undefined;
  }

  /** Exit code and end time; undefined while it runs, or when the wrapper was killed, even halfway through the line. */
  async exitCode(): Promise<{ code: number; endMs: number } | undefined> {
    const file = this.#file('exit');
    const text = await readText(file);
    if (text === undefined || !text.endsWith('\n')) return undefined;
    const written = await ifThere(stat(file));
    return written === undefined ? undefined : { code: Number(text), endMs: written.mtimeMs };
  }

  /** Log from `offset`, or its end where there is more; it restarts at 0 when the log was cut since. */
  async readLog(offset: number): Promise<{ bytes: Uint8Array; end: number }> {
    const size = (await stat(this.log).catch(() => undefined))?.size ?? 0;
    const start = Math.max(size < offset ? 0 : offset, size - LOG_LIMITS.look_bytes);
    const length = size - start;
    if (length <= 0) return { bytes: new Uint8Array(), end: size };
    const file = await ifThere(open(this.log));
    if (file === undefined) return { bytes: new Uint8Array(), end: 0 };
    try {
      const buffer = new Uint8Array(length);
      const { bytesRead } = await file.read(buffer, 0, length, start);
      return { bytes: buffer.subarray(0, bytesRead), end: start + bytesRead };
    } finally {
      await file.close();
    }
  }

  /** The end of the log, with what was put aside of it. */
  async tail(): Promise<Uint8Array> {
    const size = (await stat(this.log).catch(() => undefined))?.size ?? 0;
    const { bytes } = await this.readLog(Math.max(0, size - LOG_LIMITS.kept_bytes));
    const aside = bytes.byteLength < LOG_LIMITS.kept_bytes ? await ifThere(readFile(this.#aside)) : undefined;
    return Buffer.concat([aside ?? new Uint8Array(), bytes]).subarray(-LOG_LIMITS.kept_bytes);
  }

  /**
   * The processor appends to its log, so emptying it in place is safe; only a log that runs wild is emptied, its end put
   * aside. Without a break between looking and emptying: what is written there is lost, and may be the last word.
   */
  boundLog(): void {
    const file = openIfThere(this.log);
    if (file === undefined) return;
    try {
      let size = fstatSync(file).size;
      if (size <= LOG_LIMITS.rewrite_bytes) return;
      for (let round = 0, seen = -1; seen !== size && round < MAX_ROUNDS; round++) {
        seen = size;
        const kept = Buffer.alloc(LOG_LIMITS.kept_bytes);
        writeFileSync(this.#aside, kept.subarray(0, readSync(file, kept, 0, kept.byteLength, seen - kept.byteLength)));
        size = fstatSync(file).size;
      }
      ftruncateSync(file);
    } finally {
      closeSync(file);
    }
  }

  remove(): Promise<void> {
    return rm(this.root, { recursive: true, force: true });
  }

  async #save(name: string, text: string): Promise<void> {
    const draft = this.#file(`${name}.draft`);
    await writeFile(draft, text);
    await rename(draft, this.#file(name));
  }
}
