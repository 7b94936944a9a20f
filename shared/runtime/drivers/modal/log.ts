import type { Report } from '../../contract.ts';
import { parseReport } from '../../reports.ts';

/** Kept of a log: its end. */
export const KEPT_LOG_BYTES = 256 * 1024;

/** A line is told in pieces from this length on; it is no report. */
const MAX_LINE_CHARACTERS = 64 * 1024;

export type Channel = 'stdout' | 'stderr';

/** The log of one run from the text of its two channels: lines whole, reports of standard output told, the end kept. */
export class RunLog {
  readonly #onReport: ((report: Report) => void) | undefined;
  readonly #partial: Record<Channel, string> = { stdout: '', stderr: '' };
  readonly #kept: Buffer[] = [];
  #keptBytes = 0;
  #error: Extract<Report, { isomorph: 'error' }> | undefined;

  constructor(onReport?: (report: Report) => void) {
    this.#onReport = onReport;
  }

  /** The last error that was reported. */
  get error(): Extract<Report, { isomorph: 'error' }> | undefined {
    return this.#error;
  }

  push(channel: Channel, text: string): void {
    const all = this.#partial[channel] + text;
    const complete = all.lastIndexOf('\n') + 1;
    if (channel === 'stdout' && complete > 0) this.#readReports(all.slice(0, complete));
    const isLong = all.length - complete > MAX_LINE_CHARACTERS;
    this.#keep(isLong ? all : all.slice(0, complete));
    this.#partial[channel] = isLong ? '' : all.slice(complete);
  }

  /** The end of the log, with lines that have no end yet. */
  bytes(): Uint8Array {
    const { stdout, stderr } = this.#partial;
    return Buffer.concat([...this.#kept, Buffer.from(stdout), Buffer.from(stderr)]).subarray(-KEPT_LOG_BYTES);
  }

  #readReports(lines: string): void {
    for (const line of lines.split('\n')) {
      const report = parseReport(line);
      if (report === undefined) continue;
      if (report.isomorph === 'error') this.#error = report;
      this.#onReport?.(report);
    }
  }

  #keep(text: string): void {
    if (text === '') return;
    const bytes = Buffer.from(text);
    this.#kept.push(bytes);
    this.#keptBytes += bytes.byteLength;
    for (let first = this.#kept[0]; first !== undefined; first = this.#kept[0]) {
      if (this.#keptBytes - first.byteLength < KEPT_LOG_BYTES) return;
      this.#kept.shift();
      this.#keptBytes -= first.byteLength;
    }
  }
}
