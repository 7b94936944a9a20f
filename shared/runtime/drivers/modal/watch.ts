import type { Sandbox } from 'modal';
import { backoffMs, delay } from '../../../async/delay.ts';
import { within } from '../../../async/within.ts';
import { isNotFound, toModalError } from '../../../providers/modal/account.ts';
import type { Report } from '../../contract.ts';
import type { Channel } from '../../log-tail.ts';
import { LogPace, ReportReader, type RunLimits } from '../../run-limits.ts';
import type { RunOutcome, RunResult } from '../../runtime.ts';
import type { FoundSandbox, ModalControl } from './control.ts';
import { SandboxLog } from './log.ts';
import { outcomeOf, type SandboxStop, STOP_REASONS } from './outcome.ts';
import { TAGS, type Tags } from './request.ts';

/** Follows a sandbox to its end. The same for one that we made and for one that was found. */

export interface SandboxWatch {
  readonly control: ModalControl;
  /** Unix time in milliseconds. */
  readonly deadlineMs: number;
  readonly onReport: ((report: Report) => void) | undefined;
  /** After so long without an answer a run is given up as lost. */
  readonly lostAfterMs: number;
  readonly executionId: string;
  readonly limits: RunLimits;
  /** Aborted when the runtime is closed: the run goes on, and its watch never resolves. */
  readonly signal: AbortSignal;
}

/** One long poll. */
const POLL_MS = 10_000;
/** What is still on its way when a sandbox has ended is awaited for so long. */
const DRAIN_MS = 10_000;
/** Between questions that had no answer. */
export const BACKOFF = { baseMs: 100, maxMs: 5_000, random: Math.random };
/** Entries of a kept log that are asked for: Modal gives no more at once. */
const KEPT_ENTRIES = 20_000;
const NEVER = new Promise<never>(() => undefined);

const stopOf = (tags: Tags): SandboxStop | undefined => STOP_REASONS.find((reason) => reason === tags[TAGS.stop]);

interface Ending {
  readonly outcome: RunOutcome;
  /** Modal answers no more, or knows nothing of it: there is nothing to ask for. */
  readonly isGone: boolean;
}

const gone = (reason: string): Ending => ({ outcome: { kind: 'lost', reason }, isGone: true });

/** Awaits the end, and brings it about at the deadline. */
async function ended(found: FoundSandbox, options: SandboxWatch): Promise<Ending> {
  const { control, deadlineMs, lostAfterMs, signal } = options;
  let stopped = false;
  let silentSinceMs: number | undefined;
  for (let faults = 0; ; ) {
    const leftMs = Math.max(0, deadlineMs - Date.now());
    try {
      const result = await control.wait(found.sandbox, stopped ? POLL_MS : Math.min(POLL_MS, leftMs));
      if (result !== undefined) {
        const told = stopOf(await control.tags(found.sandbox));
        return { outcome: outcomeOf(result, told ?? (stopped ? 'timed_out' : undefined)), isGone: false };
      }
      if (!stopped && Date.now() >= deadlineMs) {
        await control.stop(found, 'timed_out');
        stopped = true;
      }
      silentSinceMs = undefined;
      faults = 0;
    } catch (error) {
      if (signal.aborted) return NEVER;
      if (isNotFound(error)) return gone('Modal no longer knows its sandbox');
      silentSinceMs ??= Date.now();
      if (Date.now() - silentSinceMs > lostAfterMs) return gone(toModalError(error).message);
      await delay(backoffMs(faults++, BACKOFF));
    }
  }
}

/** Both channels from their start, as they are written. */
class Channels {
  readonly #pace: LogPace;
  readonly #readers: ReadableStreamDefaultReader<string>[] = [];
  /** Whether everything was read. Never rejects. */
  readonly complete: Promise<boolean>;

  constructor(sandbox: Sandbox, log: SandboxLog, pace: LogPace) {
    this.#pace = pace;
    const both: readonly Channel[] = ['stdout', 'stderr'];
    this.complete = Promise.all(both.map((channel) => this.#read(sandbox, channel, log))).then(
      () => true,
      // The worker is gone: what Modal keeps of the log is asked for instead.
      () => false,
    );
  }

  async cancel(): Promise<void> {
    await Promise.allSettled(this.#readers.map((reader) => reader.cancel()));
  }

  async #read(sandbox: Sandbox, channel: Channel, log: SandboxLog): Promise<void> {
    const reader: ReadableStreamDefaultReader<string> = sandbox[channel].getReader();
    this.#readers.push(reader);
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      log.push(channel, next.value);
      const waitMs = this.#pace.read(next.value.length);
      if (waitMs > 0) await delay(waitMs);
    }
  }
}

/** What Modal keeps of the log of a sandbox that has ended. */
async function keptLog(sandbox: Sandbox): Promise<SandboxLog> {
  const log = new SandboxLog();
  try {
    for await (const { source, message } of sandbox.logs.tail({ entries: KEPT_ENTRIES })) {
      if (source === 'stdout' || source === 'stderr') log.push(source, message);
    }
  } catch (error) {
    log.push('stderr', `the log could not be read: ${toModalError(error).message}\n`);
  }
  return log;
}

/** By Modal's clock. The result is known by now and must not be lost for want of it. */
const durationOf = (control: ModalControl, { sandbox, tags }: FoundSandbox): Promise<number | undefined> =>
  control.durationMs(sandbox, tags).catch(() => undefined);

/** The result of a run. Never rejects. */
export async function watchSandbox(found: FoundSandbox, options: SandboxWatch): Promise<RunResult> {
  const { control, onReport, executionId, limits, signal } = options;
  const { sandbox, tags } = found;
  const live = new SandboxLog(onReport, new ReportReader(executionId, limits));
  const channels = new Channels(sandbox, live, new LogPace(executionId, limits));
  const closed = () => void channels.cancel();
  signal.addEventListener('abort', closed, { once: true });
  const { outcome, isGone } = await ended(found, options);
  const isComplete = isGone ? false : await within(DRAIN_MS, channels.complete, () => false);
  signal.removeEventListener('abort', closed);
  await channels.cancel();
  if (signal.aborted) return NEVER;
  const log = isComplete || isGone ? live : await keptLog(sandbox);
  const durationMs = isGone ? undefined : await durationOf(control, found);
  sandbox.detach();
  // What was lost may have ended long before anybody knew.
  const sinceMadeMs =
    outcome.kind === 'lost' ? null : Math.max(0, Date.now() - Number(tags[TAGS.createdMs] ?? Date.now()));
  return { outcome, durationMs: durationMs ?? sinceMadeMs, log: log.bytes(), error: log.error };
}
