import type { Readable } from 'node:stream';
import { delay } from '../../../async/delay.ts';
import { GRACE_MS, type Report } from '../../contract.ts';
import { endedWithout, type StopReason } from '../../outcome.ts';
import { LogPace, ReportReader, type RunLimits } from '../../run-limits.ts';
import type { RunResult } from '../../runtime.ts';
import { type ContainerView, type Engine, isDown, patiently, statusOf } from './engine.ts';
import { FrameReader } from './frames.ts';
import { outcomeOf } from './outcome.ts';
import { LocalRunLog } from './run-log.ts';
import type { Stops } from './stops.ts';

/** One container that runs, or ran, an execution. */
export interface Followed {
  readonly engine: Engine;
  readonly stops: Stops;
  readonly executionId: string;
  readonly containerId: string;
  readonly deadlineMs: number;
  readonly onReport: (report: Report) => void;
  readonly limits: RunLimits;
  /** Its image has the boot module. */
  readonly isBoot: boolean;
  /** For how long beyond the deadline an engine that does not answer is waited for. */
  readonly patienceMs: number;
  /** For how long whoever created a container may take to start it. */
  readonly startGraceMs: number;
}

/** The stream of a container that this process started, and what its boot module signs with. */
export interface Attached {
  readonly stream: Readable;
  readonly nonce: string;
}

/** A log of less than this was not cut by the engine: its first line is there. */
const UNCUT_LOG_BYTES = 512 * 1024;

/** How often, and how soon after, the end of a log is looked for that the engine has not written yet. */
const LOG_LOOKS = 20;
const LOG_LOOK_AGAIN_MS = 100;
/** Exit codes from here on are signals, or what engines say themselves. */
const FIRST_SIGNAL_CODE = 125;

/** Reads frames until the stream is over, or the boot module has said that all is well. Never rejects. */
function read(stream: Readable, log: LocalRunLog, pace: LogPace): Promise<void> {
  return new Promise((resolve) => {
    const frames = new FrameReader((channel, bytes) => log.push(channel, bytes));
    const finish = (): void => {
      stream.removeAllListeners('data');
      stream.on('error', () => undefined);
      stream.destroy();
      resolve();
    };
    // An error of the stream says nothing of the container: what became of it is asked afterwards.
    for (const event of ['end', 'close', 'error']) stream.once(event, finish);
    stream.on('data', (chunk: Buffer) => {
      frames.push(chunk);
      if (log.ended?.exitCode === 0) {
        finish();
        return;
      }
      const waitMs = pace.read(chunk.byteLength);
      if (waitMs === 0) return;
      // What is not read makes the processor wait that writes it, and nobody else.
      stream.pause();
      setTimeout(() => stream.resume(), waitMs).unref();
    });
  });
}

/** SIGTERM, grace, SIGKILL; returns when the container does not run. The reason is kept before the first signal. */
export async function stopContainer(
  { engine, stops, executionId, containerId }: Pick<Followed, 'engine' | 'stops' | 'executionId' | 'containerId'>,
  reason: StopReason,
): Promise<void> {
  if ((await engine.inspect(containerId))?.running !== true) return;
  await stops.save(executionId, reason);
  await engine.signal(containerId, 'SIGTERM');
  const stopped = engine.whenStopped(containerId);
  // When the engine goes away after the grace, nobody may be waiting for this any more.
  stopped.catch(() => undefined);
  await Promise.race([stopped, delay(GRACE_MS)]);
  if ((await engine.inspect(containerId))?.running !== true) return;
  await engine.signal(containerId, 'SIGKILL');
  await stopped;
}

class Follower {
  readonly #run: Followed;
  readonly #pace: LogPace;
  #engineWasGone = false;
  /** Reports told so far: a log that is read again does not tell them again. */
  #told = 0;

  constructor(run: Followed) {
    this.#run = run;
    this.#pace = new LogPace(run.executionId, run.limits);
  }

  async result(attached: Attached | undefined): Promise<RunResult> {
    const { engine, containerId } = this.#run;
    const begun = attached === undefined ? await this.#whenStarted() : undefined;
    if (begun !== undefined) return begun;
    const log = this.#log(attached?.nonce);
    await read(attached?.stream ?? (await this.#patiently(() => engine.logs(containerId, true))), log, this.#pace);
    const told = await this.#toldResult(log);
    if (told !== undefined) return told;
    const view = await this.#whenEnded();
    if (view === undefined) return this.#lost('its container is gone');
    const kept = await this.#keptLog(view, attached?.nonce);
    // What was attached from the start is whole, unless the engine went away; of a long log the engine keeps less.
    const isWhole = attached !== undefined && !this.#engineWasGone && log.seenBytes >= kept.seenBytes;
    return this.#resultOf(view, isWhole ? log : kept);
  }

  /** The engine's log of an ended container. A busy engine writes the last of it after it says that the container has ended. */
  async #keptLog(view: ContainerView, nonce: string | undefined): Promise<LocalRunLog> {
    const { engine, containerId } = this.#run;
    for (let look = 1; ; look++) {
      const log = this.#log(nonce);
      await read(await this.#patiently(() => engine.logs(containerId, false)), log, this.#pace);
      // The boot module says when an end of its own accord is complete; nothing says so of any other.
      const mayLack = log.received !== undefined && log.ended === undefined && view.exitCode < FIRST_SIGNAL_CODE;
      if (!mayLack || nonce !== undefined || look === LOG_LOOKS) return log;
      await delay(LOG_LOOK_AGAIN_MS);
    }
  }

  #lost(reason: string): RunResult {
    return endedWithout({ kind: 'lost', reason });
  }

  /** Its processor never began. */
  #lostBefore(reason: string): RunResult {
    return endedWithout({ kind: 'lost', reason }, { durationMs: 0 });
  }

  #patiently<T>(call: () => Promise<T>): Promise<T> {
    const { deadlineMs, patienceMs } = this.#run;
    return patiently(Math.max(deadlineMs, Date.now()) + patienceMs, call);
  }

  #log(nonce: string | undefined): LocalRunLog {
    let index = 0;
    return new LocalRunLog(
      (report) => {
        index += 1;
        if (index <= this.#told) return;
        this.#told = index;
        this.#run.onReport(report);
      },
      nonce,
      new ReportReader(this.#run.executionId, this.#run.limits),
    );
  }

  /** A container that somebody created is started by them, or they are no more. */
  async #whenStarted(): Promise<RunResult | undefined> {
    const { engine, containerId, startGraceMs } = this.#run;
    for (;;) {
      const view = await this.#patiently(() => engine.inspect(containerId));
      if (view === undefined) return this.#lost('its container is gone');
      if (view.status !== 'created') return undefined;
      if (view.error !== '') return endedWithout({ kind: 'not_started', reason: view.error });
      if (Date.now() >= view.createdMs + startGraceMs) return this.#lostBefore('its container was never started');
      await delay(Math.min(100, startGraceMs));
    }
  }

  /** The result by the boot module's word: it is known before the engine has cleared the container away. */
  async #toldResult(log: LocalRunLog): Promise<RunResult | undefined> {
    const { received, ended } = log;
    if (received === undefined || ended?.exitCode !== 0) return undefined;
    if ((await this.#run.stops.of(this.#run.executionId)) !== undefined) return undefined;
    const durationMs = Math.max(0, Math.round(ended.atMs - received.at_ms));
    return { outcome: { kind: 'exited', exitCode: 0 }, durationMs, log: log.bytes(), error: log.error };
  }

  /** The container once it has ended; undefined when there is none any more. */
  async #whenEnded(): Promise<ContainerView | undefined> {
    const { engine, containerId } = this.#run;
    for (;;) {
      try {
        await engine.whenStopped(containerId);
      } catch (error) {
        // 404 shows in the inspection.
        this.#engineWasGone ||= isDown(error);
      }
      const view = await this.#patiently(() => engine.inspect(containerId));
      if (view?.running !== true) return view;
      await delay(50);
    }
  }

  async #resultOf(view: ContainerView, log: LocalRunLog): Promise<RunResult> {
    const { stops, executionId, deadlineMs, isBoot } = this.#run;
    const { received, ended } = log;
    const stop = await stops.of(executionId);
    const noJob = isBoot && received === undefined && log.seenBytes < UNCUT_LOG_BYTES;
    if (noJob && stop === undefined && !view.oomKilled) {
      return this.#lostBefore('its container ended before it had its job');
    }
    const toldExitCode = ended?.exitCode;
    const outcome = outcomeOf({ view, stop, deadlineMs, engineWasGone: this.#engineWasGone, toldExitCode });
    const beganMs = received?.at_ms ?? view.startedMs;
    const durationMs = Math.max(0, Math.round((ended?.atMs ?? view.finishedMs) - beganMs)) || 0;
    return { outcome, durationMs, log: log.bytes(), error: log.error };
  }
}

/** Follows a container to its end, holding it to its deadline. Never rejects: what cannot be found out is lost. */
export async function followContainer(run: Followed, attached?: Attached): Promise<RunResult> {
  const expire = async (): Promise<void> => {
    const untilMs = run.deadlineMs + run.patienceMs;
    await patiently(untilMs, () => stopContainer(run, 'timed_out'));
  };
  // Whatever hinders it shows in the result of the run, which waits for the container itself.
  const timer = setTimeout(() => void expire().catch(() => undefined), Math.max(0, run.deadlineMs - Date.now()));
  try {
    return await new Follower(run).result(attached);
  } catch (error) {
    // 404 and 409: somebody removed it while it was followed.
    const isGone = statusOf(error) === 404 || statusOf(error) === 409;
    const reason = isGone
      ? 'its container is gone'
      : `the container engine failed: ${error instanceof Error ? error.message : String(error)}`;
    return endedWithout({ kind: 'lost', reason });
  } finally {
    clearTimeout(timer);
  }
}
