import type { Report } from '../../contract.ts';
import { type Channel, LogTail } from '../../log-tail.ts';
import { ReportReader } from '../../run-limits.ts';

/** A line is told in pieces from this length on; it is no report. */
const MAX_LINE_CHARACTERS = 64 * 1024;

/** The log of one run from the text of its two channels: lines whole, reports of standard output told, the end kept. */
export class SandboxLog {
  readonly #onReport: ((report: Report) => void) | undefined;
  readonly #partial: Record<Channel, string> = { stdout: '', stderr: '' };
  readonly #tail = new LogTail();
  readonly #reports: ReportReader;

  constructor(onReport?: (report: Report) => void, reports = new ReportReader('a run')) {
    this.#onReport = onReport;
    this.#reports = reports;
  }

  /** The last error that was reported. */
  get error(): Extract<Report, { isomorph: 'error' }> | undefined {
    return this.#reports.error;
  }

  push(channel: Channel, text: string): void {
    const all = this.#partial[channel] + text;
    const complete = all.lastIndexOf('\n') + 1;
    if (channel === 'stdout' && complete > 0) this.#readReports(all.slice(0, complete));
    const isLong = all.length - complete > MAX_LINE_CHARACTERS;
    this.#tail.push(Buffer.from(isLong ? all : all.slice(0, complete)));
    this.#partial[channel] = isLong ? '' : all.slice(complete);
  }

  /** The end of the log, with lines that have no end yet. */
  bytes(): Uint8Array {
    const { stdout, stderr } = this.#partial;
    return this.#tail.with(Buffer.from(stdout), Buffer.from(stderr));
  }

  #readReports(lines: string): void {
    for (const line of lines.split('\n')) {
      const report = this.#reports.read(line);
      if (report !== undefined) this.#onReport?.(report);
    }
  }
}
