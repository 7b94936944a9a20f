import type { TellLimit } from '../async/limit-notice.ts';
import { ToldRate } from '../async/told-rate.ts';
import type { Report } from './contract.ts';
import { mayBeReport, parseReport } from './reports.ts';

/** What is read of what a run writes, in a second; one that writes more waits, or is not heard. */
export interface RunLimits {
  /** Report lines; those beyond are log, but for the last error. */
  readonly reportsPerS: number;
  /** Both channels; whoever writes more waits where its runtime can make it wait. */
  readonly logBytesPerS: number;
  readonly tell: TellLimit;
}

export const RUN_LIMITS: RunLimits = { reportsPerS: 20, logBytesPerS: 2 ** 20, tell: () => undefined };

/** After a rest so many seconds' worth at once. */
const BURST_S = 5;

/** Any white space: JSON may be written so. */
const ERROR_LINE = /"isomorph"\s*:\s*"error"/;

type ErrorReport = Extract<Report, { isomorph: 'error' }>;

/** Reads the reports of one run, so many a second: a flood costs the run its progress, and nobody the time to read it. */
export class ReportReader {
  readonly #rate: ToldRate;
  #error: ErrorReport | undefined;
  /** It came beyond the rate: it is read when somebody asks. */
  #unread: string | undefined;

  /** @param of the execution, as a limit that is hit is told */
  constructor(of: string, limits: RunLimits = RUN_LIMITS) {
    const { reportsPerS: perS, tell } = limits;
    this.#rate = new ToldRate({ limit: 'reports_per_s', of, perS, burst: perS * BURST_S, tell });
  }

  /** A whole line of standard output as a report; undefined when it is log. */
  read(line: string): Report | undefined {
    if (!mayBeReport(line)) return undefined;
    if (this.#rate.tryTake(1)) {
      const report = parseReport(line);
      if (report?.isomorph === 'error') [this.#error, this.#unread] = [report, undefined];
      return report;
    }
    if (ERROR_LINE.test(line)) this.#unread = line;
    return undefined;
  }

  /** The last error that was reported. */
  get error(): ErrorReport | undefined {
    const report = this.#unread === undefined ? undefined : parseReport(this.#unread);
    return report?.isomorph === 'error' ? report : this.#error;
  }
}

/** How fast the log of one run is read. */
export class LogPace {
  readonly #rate: ToldRate;

  constructor(of: string, limits: RunLimits = RUN_LIMITS) {
    const { logBytesPerS: perS, tell } = limits;
    this.#rate = new ToldRate({ limit: 'log_bytes_per_s', of, perS, burst: perS * BURST_S, tell });
  }

  /** So much was read: after how many milliseconds to go on. */
  read(bytes: number): number {
    return this.#rate.take(bytes);
  }
}
