import { type ChildProcess, spawn } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { delay } from '../../../async/delay.ts';
import { IsomorphError } from '../../../errors/isomorph-error.ts';
import type { Environment } from '../../../ledger/events.ts';
import type { Processor } from '../../../plan/registry.ts';
import { GRACE_MS, type Report, surroundings } from '../../contract.ts';
import { fingerprint } from '../../fingerprint.ts';
import { endedWithout, type StopReason, signalOf } from '../../outcome.ts';
import { lastError } from '../../reports.ts';
import { ReportReader, type RunLimits } from '../../run-limits.ts';
import type { Assignment, RunHandle, RunOutcome, RunResult, RuntimeAdapter } from '../../runtime.ts';
import { endLeftBehind } from './left-behind.ts';
import { type Program, programOf } from './program.ts';
import { kernelStartTime, RunFolder } from './run-folder.ts';

/**
 * Runs a processor from its entrypoint as a child process with exactly the container's contract: its own empty
 * working folder, only the contract's environment, ended as a process group. It does not isolate: use it for
 * processors you would run by hand. Runs outlive the dispatcher and are found again by their folder.
 */
export interface MockOptions {
  readonly processorsDir: string;
  /** Folder for runs under way and for bundles. */
  readonly stateDir: string;
  /** What is read of a run, in a second. */
  readonly limits?: RunLimits;
}

const POLL_MS = 100;

/**
 * Writes the exit code down even when nobody waits any more. TERM is caught so that the shell outlives the processor
 * it passes the signal on to; the processor itself gets the default disposition back.
 */
const WRAPPER =
  'trap : TERM INT HUP; exit=$1; shift; "$@"; code=$?; echo $code > "$exit.draft"; mv "$exit.draft" "$exit"';

type Watch = (report: Report) => void;

export class MockRuntime implements RuntimeAdapter {
  readonly adapter = 'mock';
  readonly #options: MockOptions;
  readonly #runsDir: string;
  readonly #programs = new Map<string, Promise<Program>>();
  readonly #children = new Map<string, ChildProcess>();

  constructor(options: MockOptions) {
    this.#options = options;
    this.#runsDir = path.join(options.stateDir, 'runs');
  }

  async run(assignment: Assignment, onReport?: Watch): Promise<RunHandle> {
    const folder = new RunFolder(this.#runsDir, assignment.executionId);
    if (!(await folder.create(JSON.stringify(assignment.job)))) {
      return this.#handle(assignment.executionId, folder, assignment.deadlineMs, onReport);
    }
    try {
      const program = await this.#program(assignment.processor);
      await this.#launch(folder, program, assignment);
    } catch (error) {
      if (!(error instanceof IsomorphError)) throw error;
      return notStarted(assignment.executionId, error.message);
    }
    return this.#handle(assignment.executionId, folder, assignment.deadlineMs, onReport);
  }

  async find(executionId: string, deadlineMs: number, onReport?: Watch): Promise<RunHandle | undefined> {
    const folder = new RunFolder(this.#runsDir, executionId);
    if (!(await folder.exists())) return undefined;
    return this.#handle(executionId, folder, deadlineMs, onReport);
  }

  async kill(executionId: string): Promise<void> {
    await this.#stop(new RunFolder(this.#runsDir, executionId), 'killed');
  }

  async forget(executionId: string): Promise<void> {
    this.#children.delete(executionId);
    await new RunFolder(this.#runsDir, executionId).remove();
  }

  async environment(processor: Processor, secretNames: readonly string[]): Promise<Environment> {
    const program = await this.#program(processor).catch((error: unknown) => {
      if (error instanceof IsomorphError) return undefined;
      throw error;
    });
    return fingerprint(processor, secretNames, {
      adapter: this.adapter,
      image_digest: program?.digest ?? '',
      region: 'local',
      versions: { node: process.versions.node, os: `${os.platform()}-${os.arch()}` },
    });
  }

  /** Programs of this machine have no image; the receipt has the digest of the program. */
  async pinImage(): Promise<undefined> {
    return undefined;
  }

  /** Runs go on: they are taken up again by the next process. */
  async close(): Promise<void> {
    for (const child of this.#children.values()) child.unref();
  }

  #program(processor: Processor): Promise<Program> {
    const key = JSON.stringify([processor.ref, processor.entrypoint]);
    const cacheDir = path.join(this.#options.stateDir, 'bundles');
    const program =
      this.#programs.get(key) ?? programOf(processor, { processorsDir: this.#options.processorsDir, cacheDir });
    this.#programs.set(key, program);
    program.catch(() => this.#programs.delete(key));
    return program;
  }

  async #launch(folder: RunFolder, program: Program, assignment: Assignment): Promise<void> {
    const { open } = await import('node:fs/promises');
    const [job, log] = await Promise.all([open(folder.job, 'r'), open(folder.log, 'a')]);
    try {
      const child = spawn('/bin/sh', ['-c', WRAPPER, 'processor', folder.exit, ...program.command], {
        cwd: folder.work,
        detached: true,
        stdio: [job.fd, log.fd, log.fd],
        env: {
          PATH: process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin',
          ...surroundings(folder.work, folder.temp),
          ...assignment.secrets,
        },
      });
      await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject)).catch((error) => {
        throw new IsomorphError('ERR_START', `no shell to start ${assignment.processor.ref}`, {}, error);
      });
      this.#children.set(assignment.executionId, child);
      const pid = child.pid ?? 0;
      await folder.saveProcess({ pid, startedAt: await kernelStartTime(pid), startMs: Date.now() });
    } finally {
      await Promise.all([job.close(), log.close()]);
    }
  }

  #handle(executionId: string, folder: RunFolder, deadlineMs: number, onReport?: Watch): RunHandle {
    const result = this.#watch(executionId, folder, deadlineMs, onReport);
    return { executionId, wait: () => result };
  }

  /** Follows the folder until the run has ended: the same for a run of our own and for one taken up again. */
  async #watch(executionId: string, folder: RunFolder, deadlineMs: number, onReport?: Watch): Promise<RunResult> {
    const child = this.#children.get(executionId);
    const exited =
      child === undefined ? undefined : new Promise<void>((resolve) => child.once('exit', () => resolve()));
    let offset = 0;
    const reports = new ReportReader(executionId, this.#options.limits);
    const report = async (): Promise<void> => {
      if (onReport === undefined) return;
      const { bytes, end } = await folder.readLog(offset);
      const text = Buffer.from(bytes).toString('utf8');
      const complete = text.lastIndexOf('\n') + 1;
      offset = end - Buffer.byteLength(text.slice(complete));
      for (const line of text.slice(0, complete).split('\n')) {
        const parsed = reports.read(line);
        if (parsed !== undefined) onReport(parsed);
      }
    };
    while (await this.#isRunning(folder)) {
      if (Date.now() >= deadlineMs) await this.#stop(folder, 'timed_out');
      await Promise.race([delay(POLL_MS), ...(exited === undefined ? [] : [exited])]);
      await report();
      folder.boundLog();
    }
    await report();
    return this.#result(folder);
  }

  async #isRunning(folder: RunFolder): Promise<boolean> {
    if ((await folder.exitCode()) !== undefined) return false;
    const id = await folder.process();
    if (id === undefined) return false;
    try {
      process.kill(id.pid, 0);
    } catch {
      return false;
    }
    return (await kernelStartTime(id.pid)) === id.startedAt;
  }

  async #stop(folder: RunFolder, reason: StopReason): Promise<void> {
    const id = await folder.process();
    if (id === undefined || !(await this.#isRunning(folder))) return;
    if ((await folder.stopReason()) === undefined) await folder.saveStop(reason);
    signalGroup(id.pid, 'SIGTERM');
    const graceEnds = Date.now() + GRACE_MS;
    while (Date.now() < graceEnds && (await this.#isRunning(folder))) await delay(20);
    signalGroup(id.pid, 'SIGKILL');
    while (await this.#isRunning(folder)) await delay(20);
  }

  async #result(folder: RunFolder): Promise<RunResult> {
    const [id, exit, stop, log] = await Promise.all([
      folder.process(),
      folder.exitCode(),
      folder.stopReason(),
      folder.tail(),
    ]);
    // Whatever the processor left running ends with it, in its group or not.
    if (id !== undefined) {
      signalGroup(id.pid, 'SIGKILL');
      await endLeftBehind({ ...id, root: folder.root, work: folder.work });
    }
    const outcome = outcomeOf(exit?.code, stop);
    const sinceStartMs = id === undefined ? 0 : Math.max(0, Math.round((exit?.endMs ?? Date.now()) - id.startMs));
    const error = lastError(Buffer.from(log).toString('utf8'));
    // A process that left no exit code left no time of its end either.
    return { outcome, durationMs: outcome.kind === 'lost' ? null : sinceStartMs, log, error };
  }
}

function outcomeOf(code: number | undefined, stop: StopReason | undefined): RunOutcome {
  if (stop !== undefined) return { kind: stop };
  if (code === undefined) return { kind: 'lost', reason: 'its process is gone and left no exit code' };
  if (code === 126 || code === 127) return { kind: 'not_started', reason: `the shell could not start it (${code})` };
  // As the shell tells it. Codes above the last signal, such as 255, are the processor's own.
  const signal = signalOf(code);
  return signal === undefined ? { kind: 'exited', exitCode: code } : { kind: 'signalled', signal };
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    // The group is gone already.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function notStarted(executionId: string, reason: string): RunHandle {
  const result = endedWithout({ kind: 'not_started', reason });
  return { executionId, wait: async () => result };
}
