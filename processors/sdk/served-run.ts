import { type ContextShell, openContext } from './context.ts';
import { EXIT_SUCCESS, ProcessorError } from './errors.ts';
import { checkJob } from './job.ts';
import { errorOf, exitOf, failWith, perform, type Work } from './perform.ts';
import type { Report } from './reports.ts';
import type { Ended, Offer, Outcome, Progress, StopReason } from './worker-wire.ts';

export interface ServedRunOptions {
  readonly offer: Offer;
  readonly work: Work;
  /** The environment of the worker: a run has of it what its offer names. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Tells the dispatcher whose the run is; that of the moment. */
  readonly tell: (dispatcher: string, message: Ended | Progress) => void;
  /** The function has returned: its slot is free. */
  readonly onReturned: (exitCode: number) => void;
}

/** Between the abort of `ctx.signal` and the end without the function. */
const GRACE_MS = 2_000;
/** An end that nobody acknowledges is told again after this, and then each time after twice as long. */
const REPEAT_MS = 1_000;
const REPEAT_MOST_MS = 30_000;
const KEPT_LOG_BYTES = 256 * 1024;
const MESSAGE_CHARACTERS_MAX = 8_000;
const REPORTS_PER_S = 20;
const REPORTS_AT_ONCE = 100;

/** The end of a log. */
class Log {
  #chunks: Buffer[] = [];
  #bytes = 0;

  push(text: string): void {
    const chunk = Buffer.from(text);
    this.#chunks.push(chunk);
    this.#bytes += chunk.byteLength;
    if (this.#bytes <= 2 * KEPT_LOG_BYTES) return;
    this.#chunks = [Buffer.from(this.tail())];
    this.#bytes = KEPT_LOG_BYTES;
  }

  tail(): Buffer {
    return Buffer.concat(this.#chunks).subarray(-KEPT_LOG_BYTES);
  }
}

/** One run of a function, from its offer until its end is acknowledged. */
export class ServedRun {
  readonly executionId: string;
  readonly #options: ServedRunOptions;
  readonly #abort = new AbortController();
  readonly #startedMs = performance.now();
  readonly #log = new Log();
  readonly #timers = new Set<NodeJS.Timeout>();
  #reports = { tokens: REPORTS_AT_ONCE, atMs: performance.now() };
  #error: Ended['error'];
  #stopped: StopReason | 'lost' | undefined;
  #ended: Ended | undefined;
  #dispatcher: string;
  #contactMs: number;
  #heardMs = performance.now();

  constructor(options: ServedRunOptions) {
    const { execution_id, dispatcher, contact_ms, timeout_ms } = options.offer;
    this.#options = options;
    this.executionId = execution_id;
    this.#dispatcher = dispatcher;
    this.#contactMs = contact_ms;
    this.#after(timeout_ms, () => this.stop('timed_out'));
    this.#watch();
  }

  get dispatcher(): string {
    return this.#dispatcher;
  }

  get ended(): Ended | undefined {
    return this.#ended;
  }

  get runningMs(): number {
    return Math.round(performance.now() - this.#startedMs);
  }

  /** Runs the function. Never rejects. */
  async run(): Promise<void> {
    const { work } = this.#options;
    let shell: ContextShell | undefined;
    let exitCode = EXIT_SUCCESS;
    try {
      shell = this.#open();
      await perform(work, shell);
    } catch (thrown) {
      if (shell === undefined) this.#report(errorOf(thrown));
      exitCode = shell === undefined ? exitOf(thrown) : failWith(thrown, shell);
    }
    this.#options.onReturned(exitCode);
    const isLost = this.#stopped === 'lost' && exitCode === EXIT_SUCCESS;
    this.#end(
      this.#stopped === undefined || isLost ? { kind: 'exited', exit_code: exitCode } : { kind: this.#stopped },
    );
  }

  /** Aborts the function's signal, and ends without it when it does not return. */
  stop(reason: StopReason | 'lost'): void {
    if (this.#ended !== undefined || this.#stopped !== undefined) return;
    this.#stopped = reason;
    this.#abort.abort();
    this.#after(GRACE_MS, () => this.#end({ kind: reason }));
  }

  /** A dispatcher is there. */
  heard(): void {
    this.#heardMs = performance.now();
  }

  /** It is another dispatcher's from now on. */
  adopt(dispatcher: string, contactMs: number): void {
    this.#dispatcher = dispatcher;
    this.#contactMs = contactMs;
    this.heard();
  }

  /** Nobody wants to hear of it any more. */
  forget(): void {
    this.#abort.abort();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#ended ??= this.#endOf({ kind: 'killed' });
  }

  #open(): ContextShell {
    const { offer, env } = this.#options;
    const checked = checkJob(offer.job);
    if (!('job' in checked)) throw new ProcessorError(checked.fault, { code: 'ERR_SCHEMA' });
    const own = Object.fromEntries(offer.secrets.map((name) => [name, env[name]]));
    const shell = openContext(checked.job, own, this.#abort.signal, {
      stdout: (line) => this.#report(JSON.parse(line) as Report, line),
      stderr: (line) => this.#log.push(line),
    });
    // Read now, they are taken out of texts even where the function reads them by itself.
    for (const name of offer.secrets) shell.context.secret(name);
    return shell;
  }

  #report(report: Report, line = `${JSON.stringify(report)}\n`): void {
    if (this.#ended !== undefined) return;
    this.#log.push(line);
    const message = report.message === undefined ? {} : { message: report.message.slice(0, MESSAGE_CHARACTERS_MAX) };
    if (report.isomorph === 'error') {
      const { code, retryable } = report;
      this.#error = {
        code: code.slice(0, 64),
        message: message.message ?? '',
        ...(retryable !== undefined && { retryable }),
      };
      return;
    }
    if (!this.#mayReport()) return;
    const fraction = report.fraction === undefined ? {} : { fraction: report.fraction };
    this.#tell({ v: 1, kind: 'progress', execution_id: this.executionId, ...fraction, ...message });
  }

  /** So many a second, as everywhere: others are log alone. */
  #mayReport(): boolean {
    const { tokens, atMs } = this.#reports;
    const nowMs = performance.now();
    const now = Math.min(REPORTS_AT_ONCE, tokens + ((nowMs - atMs) / 1_000) * REPORTS_PER_S);
    this.#reports = { tokens: now < 1 ? now : now - 1, atMs: nowMs };
    return now >= 1;
  }

  /** Nobody has said for too long that he is there: then nobody will take what it makes. */
  #watch(): void {
    const leftMs = this.#contactMs - (performance.now() - this.#heardMs);
    if (leftMs > 0) this.#after(leftMs, () => this.#watch());
    else this.stop('lost');
  }

  #end(outcome: Outcome): void {
    if (this.#ended !== undefined) return;
    this.#ended = this.#endOf(outcome);
    for (const timer of this.#timers) clearTimeout(timer);
    this.#tellEnd(REPEAT_MS);
  }

  #endOf(outcome: Outcome): Ended {
    return {
      v: 1,
      kind: 'ended',
      execution_id: this.executionId,
      outcome,
      duration_ms: this.runningMs,
      ...(this.#error === undefined ? {} : { error: this.#error }),
      log_base64: this.#log.tail().toString('base64'),
    };
  }

  #tellEnd(againMs: number): void {
    if (this.#ended !== undefined) this.#tell(this.#ended);
    this.#after(againMs, () => this.#tellEnd(Math.min(2 * againMs, REPEAT_MOST_MS)));
  }

  #tell(message: Ended | Progress): void {
    this.#options.tell(this.#dispatcher, message);
  }

  #after(ms: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, ms);
    this.#timers.add(timer);
  }
}
