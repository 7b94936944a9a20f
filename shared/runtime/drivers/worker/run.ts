import { ToldRate } from '../../../async/told-rate.ts';
import { isErrorCode } from '../../../errors/codes.ts';
import {
  type Ended,
  type FromWorker,
  namespaceOf,
  type RunProgress,
  type Stop,
  type WorkerIdentity,
} from '../../../wire/workers.ts';
import { GRACE_MS, type Report } from '../../contract.ts';
import { endedWithout, type StopReason } from '../../outcome.ts';
import type { RunLimits } from '../../run-limits.ts';
import type { RunHandle, RunOutcome, RunResult } from '../../runtime.ts';
import type { WorkerLine } from './line.ts';

export interface WorkerRunOptions {
  readonly executionId: string;
  readonly ref: string;
  /** Unix time in milliseconds. */
  readonly deadlineMs: number;
  readonly limits: RunLimits;
  readonly onReport: ((report: Report) => void) | undefined;
}

/** A worker tells the end of a run that was stopped within its grace; after so long more it is told without it. */
const STOPPED_MS = GRACE_MS + 1_000;
const STOP_AGAIN_MS = 500;
const BURST_S = 5;
const MOST_EARLY = 100;

/** One run, from its offer to its end. What a worker says of it is heard on the line of the worker that accepted it alone. */
export class WorkerRun implements RunHandle {
  readonly executionId: string;
  readonly ref: string;
  readonly #result: Promise<RunResult>;
  readonly #reports: ToldRate;
  readonly #onReports: ((report: Report) => void)[];
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #aborted = new AbortController();
  readonly #deadlineMs: number;
  #resolve: (result: RunResult) => void = () => undefined;
  #by: WorkerIdentity | undefined;
  #line: WorkerLine | undefined;
  /** Monotonic: no worker of it can have begun before. */
  #offeredMs: number | undefined;
  #stopped: StopReason | undefined;
  readonly #early: FromWorker[] = [];

  constructor(options: WorkerRunOptions) {
    this.executionId = options.executionId;
    this.ref = options.ref;
    this.#deadlineMs = options.deadlineMs;
    this.#onReports = options.onReport === undefined ? [] : [options.onReport];
    const { reportsPerS: perS, tell } = options.limits;
    const rate = { limit: 'reports_per_s', of: options.executionId, perS, burst: perS * BURST_S, tell };
    this.#reports = new ToldRate(rate);
    this.#result = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#after(Math.max(0, this.#leftMs), () => this.stop('timed_out'));
  }

  wait(): Promise<RunResult> {
    return this.#result;
  }

  /** Aborted when the run has ended, or nobody waits for it any more. */
  get signal(): AbortSignal {
    return this.#aborted.signal;
  }

  get namespace(): string {
    return namespaceOf(this.ref);
  }

  get line(): WorkerLine | undefined {
    return this.#line;
  }

  get isAccepted(): boolean {
    return this.#by !== undefined;
  }

  /** Until its deadline, for a worker: its clock may be another. */
  get timeoutMs(): number {
    return Math.max(1, this.#leftMs);
  }

  alsoTell(onReport: ((report: Report) => void) | undefined): void {
    if (onReport !== undefined) this.#onReports.push(onReport);
  }

  /** It is offered there: what comes from there may be about it. */
  offeredOn(line: WorkerLine): void {
    this.#line = line;
    this.#offeredMs = performance.now();
    this.#early.length = 0;
  }

  /** Who it was offered to has it not. */
  refused(): void {
    this.#line = undefined;
    this.#offeredMs = undefined;
    // It was stopped while it was on offer: nobody else is to have it.
    if (this.#stopped !== undefined) this.end({ kind: this.#stopped });
  }

  /** @param runningMs of one that was found: since it was accepted */
  accepted(by: WorkerIdentity, runningMs?: number): void {
    this.#by = by;
    if (runningMs !== undefined) this.#offeredMs = performance.now() - runningMs;
    for (const message of this.#early.splice(0)) this.heard(message);
    // It was stopped while it was on offer.
    if (this.#stopped !== undefined) this.#tellStop(this.#stopped);
  }

  heard(message: FromWorker): void {
    if (this.signal.aborted) return;
    if (this.#by === undefined) this.#tooEarly(message);
    else if (message.kind === 'ended') this.#ended(message);
    else if (this.#reports.tryTake(1)) this.#report(message);
  }

  #report({ fraction, message: text }: RunProgress): void {
    const told = text === undefined || !this.#by?.scrubs ? {} : { message: text };
    const report: Report = { isomorph: 'progress', ...(fraction === undefined ? {} : { fraction }), ...told };
    for (const tell of this.#onReports) tell(report);
  }

  /** Ends it: the worker is told, again and again, and what it does not tell in time is told without it. */
  stop(reason: StopReason): void {
    if (this.signal.aborted || this.#stopped !== undefined) return;
    this.#stopped = reason;
    // Nobody has it: it needs no grace.
    if (this.#line !== undefined) this.#tellStop(reason);
    this.#after(this.#line === undefined ? 0 : STOPPED_MS, () => this.end({ kind: reason }));
  }

  /** The end as this dispatcher sees it. */
  end(outcome: RunOutcome, error?: RunResult['error']): void {
    const durationMs = outcome.kind === 'lost' ? null : this.#sinceMs();
    const told = { outcome, durationMs, log: new Uint8Array(), error };
    this.#finish('reason' in outcome ? endedWithout(outcome, told) : told);
  }

  /** Nobody waits any more; the run goes on. */
  letGo(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#aborted.abort();
  }

  /** It overtook the answer to the offer, which says whose words it is. */
  #tooEarly(message: FromWorker): void {
    if (this.#early.length < MOST_EARLY) this.#early.push(message);
    else if (message.kind === 'ended') this.#early.splice(-1, 1, message);
  }

  #ended({ outcome, duration_ms, error, log_base64 = '' }: Ended): void {
    const scrubs = this.#by?.scrubs === true;
    const told: RunOutcome =
      outcome.kind === 'exited'
        ? { kind: 'exited', exitCode: outcome.exit_code }
        : outcome.kind === 'lost'
          ? { kind: 'lost', reason: 'its worker heard of no dispatcher for too long' }
          : outcome;
    this.#finish({
      outcome: told,
      // Its own clock, where this dispatcher has none: it runs no longer than this has waited for it.
      durationMs: told.kind === 'lost' ? null : Math.min(duration_ms, this.#sinceMs()),
      log: scrubs ? Buffer.from(log_base64, 'base64') : new Uint8Array(),
      error: error && { isomorph: 'error', ...(scrubs ? error : withheld(error)) },
    });
  }

  #finish(result: RunResult): void {
    if (this.signal.aborted) return;
    const by = this.#by;
    this.letGo();
    this.#resolve(by === undefined ? result : { ...result, ranBy: ranBy(by) });
  }

  #sinceMs(): number {
    return this.#offeredMs === undefined ? 0 : Math.max(0, Math.round(performance.now() - this.#offeredMs));
  }

  get #leftMs(): number {
    return this.#deadlineMs - Date.now();
  }

  #tellStop(reason: StopReason): void {
    const stop: Stop = { v: 1, execution_id: this.executionId, reason };
    this.#line?.stop(stop);
    this.#after(STOP_AGAIN_MS, () => this.#tellStop(reason));
  }

  #after(ms: number, act: () => void): void {
    if (this.signal.aborted) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, ms);
    this.#timers.add(timer);
  }
}

/** Of a worker that does not take secrets out of its texts only codes of ours are kept: another is a text as well. */
const withheld = ({ code, ...error }: NonNullable<Ended['error']>): NonNullable<Ended['error']> => ({
  ...error,
  code: isErrorCode(code) ? code : 'ERR_EXIT',
  message: '[withheld: its worker does not scrub]',
});

export const ranBy = ({ name, version, digest }: Pick<WorkerIdentity, 'name' | 'version' | 'digest'>) => ({
  image_digest: digest,
  versions: { worker: `${name} ${version}` },
});
