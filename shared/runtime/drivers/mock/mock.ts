import type { ChildProcess } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { delay } from '../../../async/delay.ts';
import { IsomorphError } from '../../../errors/isomorph-error.ts';
import type { Environment } from '../../../ledger/events.ts';
import type { Processor } from '../../../plan/registry.ts';
import { GRACE_MS, type Report } from '../../contract.ts';
import { fingerprint } from '../../fingerprint.ts';
import { endedWithout, type StopReason, signalOf } from '../../outcome.ts';
import { lastError } from '../../reports.ts';
import { ReportReader, type RunLimits } from '../../run-limits.ts';
import type { Assignment, RunHandle, RunOutcome, RunResult, RuntimeAdapter, Sought } from '../../runtime.ts';
import { signalGroup, startIn } from './launch.ts';
import { endLeftBehind } from './left-behind.ts';
import { begin, identityOf, isParkable, type Parked, Parking } from './parking.ts';
import { type Program, programOf } from './program.ts';
import { kernelStartTime, type ProcessId, RunFolder } from './run-folder.ts';

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
  /** Processes that wait for a job, at most. 0 is none. Default: 4. */
  readonly parked?: number;
}

const POLL_MS = 100;
const PARKED = 4;
const PARKED_IDLE_MS = 60_000;

type Watch = (report: Report) => void;

export class MockRuntime implements RuntimeAdapter {
  readonly adapter = 'mock';
  readonly #options: MockOptions;
  readonly #runsDir: string;
  readonly #programs = new Map<string, Promise<Program>>();
  readonly #children = new Map<string, ChildProcess>();
  readonly #parking: Parking;

  constructor(options: MockOptions) {
    const { stateDir, parked: atMost = PARKED } = options;
    this.#options = options;
    this.#runsDir = path.join(stateDir, 'runs');
    this.#parking = new Parking({ parkedDir: path.join(stateDir, 'parked'), atMost, idleMs: PARKED_IDLE_MS });
  }

  /** Starts processes ahead of the jobs that are expected. Never rejects. */
  async park(): Promise<void> {
    await this.#parking.tend();
  }

  /** Removes what a process that was killed has left, and parks. */
  async open(): Promise<this> {
    await this.#parking.sweep();
    void this.park();
    return this;
  }

  async run(assignment: Assignment, onReport?: Watch): Promise<RunHandle> {
    const { executionId, processor, deadlineMs } = assignment;
    const known = await this.find(assignment, onReport);
    if (known !== undefined) return known;
    try {
      await this.#launch(await this.#program(processor), assignment);
    } catch (error) {
      if (!(error instanceof IsomorphError)) throw error;
      return notStarted(executionId, error.message);
    }
    return this.#handle(executionId, new RunFolder(this.#runsDir, executionId), deadlineMs, onReport);
  }

  async find({ executionId, deadlineMs }: Sought, onReport?: Watch): Promise<RunHandle | undefined> {
    const folder = new RunFolder(this.#runsDir, executionId);
    if (!(await folder.exists())) return undefined;
    return this.#handle(executionId, folder, deadlineMs, onReport);
  }

  async kill(executionId: string): Promise<void> {
    await this.#stop(new RunFolder(this.#runsDir, executionId), 'killed');
  }

  /** Its end is in the ledger, whatever it still does: it may have been given up while it was started. */
  async forget(executionId: string): Promise<void> {
    this.#children.delete(executionId);
    const folder = new RunFolder(this.#runsDir, executionId);
    const id = await folder.process();
    if (id !== undefined && (await this.#isRunning(folder))) await endAllOf(folder, id);
    await folder.remove();
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
    await this.#parking.close();
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

  /** In a parked process where one waits; nothing happens where the execution was started meanwhile. */
  async #launch(program: Program, assignment: Assignment): Promise<void> {
    const { executionId, job, secrets } = assignment;
    const parked = isParkable(program, secrets) ? this.#parking.take() : undefined;
    if (parked !== undefined) return this.#assign(parked, program, assignment);
    const folder = await (await this.#parking.prepare()).become(this.#runsDir, executionId, JSON.stringify(job));
    if (folder === undefined) return;
    const child = await startIn(folder, program.command, secrets);
    this.#children.set(executionId, child);
    const pid = child.pid ?? 0;
    try {
      await folder.saveProcess({ pid, startedAt: await kernelStartTime(pid), startMs: Date.now() });
    } catch (error) {
      // Nobody finds it without: not who forgot it meanwhile, and not who comes later.
      signalGroup(pid, 'SIGKILL');
      throw error;
    }
  }

  async #assign(parked: Parked, program: Program, { executionId, job, secrets }: Assignment): Promise<void> {
    await parked.folder.saveProcess(await identityOf(parked));
    const folder = await parked.folder.become(this.#runsDir, executionId, JSON.stringify(job));
    if (folder === undefined) return this.#parking.discard(parked);
    this.#children.set(executionId, parked.child);
    begin(parked, folder, program, secrets);
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
    const result = await this.#result(folder);
    // Not before: what starts then would take the CPU of what was asked for.
    void this.park();
    return result;
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
    if (id !== undefined) await endAllOf(folder, id);
    const outcome = outcomeOf(exit?.code, stop);
    const sinceStartMs = id === undefined ? 0 : Math.max(0, Math.round((exit?.endMs ?? Date.now()) - id.startMs));
    const error = lastError(Buffer.from(log).toString('utf8'));
    // A process that left no exit code left no time of its end either.
    return { outcome, durationMs: outcome.kind === 'lost' ? null : sinceStartMs, log, error };
  }
}

/** Whatever the processor left running ends with it, in its group or not. */
async function endAllOf(
  { root, work }: RunFolder,
  { pid, newestPid: firstPid = pid, startMs }: ProcessId,
): Promise<void> {
  signalGroup(pid, 'SIGKILL');
  await endLeftBehind({ firstPid, startMs, root, work });
}

function outcomeOf(code: number | undefined, stop: StopReason | undefined): RunOutcome {
  if (stop !== undefined) return { kind: stop };
  if (code === undefined) return { kind: 'lost', reason: 'its process is gone and left no exit code' };
  if (code === 126 || code === 127) return { kind: 'not_started', reason: `the shell could not start it (${code})` };
  // As the shell tells it. Codes above the last signal, such as 255, are the processor's own.
  const signal = signalOf(code);
  return signal === undefined ? { kind: 'exited', exitCode: code } : { kind: 'signalled', signal };
}

function notStarted(executionId: string, reason: string): RunHandle {
  const result = endedWithout({ kind: 'not_started', reason });
  return { executionId, wait: async () => result };
}
