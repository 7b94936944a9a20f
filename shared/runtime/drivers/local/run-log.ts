import type { Report } from '../../contract.ts';
import { type Channel, LogTail } from '../../log-tail.ts';
import { ReportReader } from '../../run-limits.ts';

/**
 * The log of one run from its frames: lines whole and in order, reports told, the end kept, and what the boot module
 * says of itself (`processors/sdk/boot.ts`) taken out.
 *
 * The boot module's first line is written before any code of the processor is loaded; the nonce in it, which the processor
 * never sees, proves the last line to be the boot module's own too.
 */
export interface BootReceived {
  readonly nonce: string;
  readonly at_ms: number;
}

export interface BootEnded {
  readonly exitCode: number;
  readonly atMs: number;
}

/** A longer line is told in pieces; it is no report. */
const MAX_LINE_BYTES = 16 * 1024;
/** Of a piece, held back: the boot module's last words may follow a line that has no end. */
const HELD_BYTES = 256;
const LINE_FEED = 0x0a;
const RECEIVED = '{"isomorph":"boot.received",';
const ENDED = '{"isomorph":"boot.ended",';

interface ChannelState {
  partial: Buffer;
  /** The line began in a piece that was told already. */
  isLong: boolean;
  hasEnded: boolean;
}

const freshChannel = (): ChannelState => ({ partial: Buffer.alloc(0), isLong: false, hasEnded: false });

function parseObject(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    // Not written by the boot module: it is log.
    return {};
  }
}

export class LocalRunLog {
  readonly #onReport: (report: Report) => void;
  readonly #channels: Readonly<Record<Channel, ChannelState>> = { stdout: freshChannel(), stderr: freshChannel() };
  readonly #tail = new LogTail();
  readonly #reports: ReportReader;
  #seenBytes = 0;
  #nonce: string | undefined;
  #received: BootReceived | undefined;
  /** What may be the boot module's last line on standard error: in an engine's log it can come before the first on standard output. */
  #early: Buffer | undefined;
  #ended: BootEnded | undefined;

  /** @param nonce of the run, when it is ours; otherwise it is learned from the first line */
  constructor(onReport: (report: Report) => void, nonce?: string, reports = new ReportReader('a run')) {
    this.#onReport = onReport;
    this.#reports = reports;
    this.#nonce = nonce;
  }

  /** The last error that was reported. */
  get error(): Extract<Report, { isomorph: 'error' }> | undefined {
    return this.#reports.error;
  }

  /** When the boot module had its job; undefined when it has not, or there is no boot module. */
  get received(): BootReceived | undefined {
    return this.#received;
  }

  /** What the boot module said last; undefined until both channels are complete. */
  get ended(): BootEnded | undefined {
    const { stdout, stderr } = this.#channels;
    return stdout.hasEnded && stderr.hasEnded ? this.#ended : undefined;
  }

  /** Everything that was pushed, kept or not. */
  get seenBytes(): number {
    return this.#seenBytes;
  }

  push(channel: Channel, bytes: Uint8Array): void {
    const state = this.#channels[channel];
    this.#seenBytes += bytes.byteLength;
    let rest = Buffer.concat([state.partial, bytes]);
    for (let end = rest.indexOf(LINE_FEED); end !== -1; end = rest.indexOf(LINE_FEED)) {
      this.#line(channel, rest.subarray(0, end + 1));
      rest = rest.subarray(end + 1);
    }
    if (rest.byteLength > MAX_LINE_BYTES) {
      this.#tail.push(rest.subarray(0, -HELD_BYTES));
      rest = rest.subarray(-HELD_BYTES);
      state.isLong = true;
    }
    // A copy: the chunk it lies in may be large.
    state.partial = Buffer.from(rest);
  }

  /** The end of the log, with lines that have no end yet. */
  bytes(): Uint8Array {
    const { stdout, stderr } = this.#channels;
    return this.#tail.with(this.#early ?? Buffer.alloc(0), stdout.partial, stderr.partial);
  }

  #line(channel: Channel, line: Buffer): void {
    const state = this.#channels[channel];
    const { isLong } = state;
    state.isLong = false;
    const rest = this.#withoutBoot(channel, line);
    if (rest.byteLength === 0) return;
    this.#tail.push(rest);
    if (channel !== 'stdout' || isLong || rest[0] !== 0x7b) return;
    const report = this.#reports.read(rest.toString('utf8').trimEnd());
    if (report !== undefined) this.#onReport(report);
  }

  #withoutBoot(channel: Channel, line: Buffer): Buffer {
    if (channel === 'stdout' && this.#received === undefined && line.indexOf(RECEIVED) === 0) {
      const { nonce, at_ms } = parseObject(line.toString('utf8'));
      if (typeof nonce !== 'string' || typeof at_ms !== 'number' || nonce !== (this.#nonce ?? nonce)) return line;
      this.#nonce = nonce;
      this.#received = { nonce, at_ms };
      this.#tellEarly();
      return line.subarray(0, 0);
    }
    if (this.#nonce === undefined && channel === 'stderr' && line.indexOf(ENDED) !== -1) {
      this.#tellEarly();
      this.#early = Buffer.from(line);
      return line.subarray(0, 0);
    }
    const at = this.#nonce === undefined ? -1 : line.indexOf(`${ENDED}"nonce":"${this.#nonce}"`);
    if (at === -1) return line;
    const { exit_code, at_ms } = parseObject(line.toString('utf8', at));
    if (typeof exit_code !== 'number' || typeof at_ms !== 'number') return line;
    this.#channels[channel].hasEnded = true;
    this.#ended = { exitCode: exit_code, atMs: at_ms };
    return line.subarray(0, at);
  }

  /** Once the nonce is known, or another takes its place. */
  #tellEarly(): void {
    const early = this.#early;
    this.#early = undefined;
    if (early !== undefined) this.#tail.push(this.#nonce === undefined ? early : this.#withoutBoot('stderr', early));
  }
}
