import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { toFault } from '../shared/errors/isomorph-error.ts';
import { scrubCredentials } from '../shared/text/scrub-credentials.ts';
import { errorDocument, errorLines } from './render/error.ts';
import { type Theme, theme } from './render/theme.ts';
import type { Terminal } from './terminal.ts';

/** NO_COLOR (no-color.org) and FORCE_COLOR as other programs read them; else colours on a terminal only. */
function wantsColor({ env, isTty }: Terminal): boolean {
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== '') return false;
  if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== '') return env.FORCE_COLOR !== '0';
  return isTty && env.TERM !== 'dumb';
}

async function write(stream: Writable, data: string | Uint8Array): Promise<void> {
  if (!stream.write(data)) await once(stream, 'drain');
}

/** Where a command says what it found: lines for people, or JSON for programs. Signatures of URLs never get out. */
export class Output {
  /** `--json`: a command then prints documents only. */
  readonly json: boolean;
  readonly theme: Theme;
  readonly terminal: Terminal;
  readonly #debug: boolean;

  constructor(terminal: Terminal, json: boolean) {
    this.terminal = terminal;
    this.json = json;
    this.theme = theme(wantsColor(terminal) && !json, terminal.columns);
    this.#debug = terminal.env.ISOMORPH_DEBUG === '1';
  }

  /** Lines for a person; nothing with `--json`. */
  lines(...lines: readonly string[]): void {
    if (!this.json) for (const line of lines) this.terminal.stdout.write(`${scrubCredentials(line)}\n`);
  }

  /** What is not the answer itself (what is waited for, what was skipped): to standard error. */
  note(line: string): void {
    if (!this.json) this.terminal.stderr.write(`${this.theme.dim(scrubCredentials(line))}\n`);
  }

  /** One JSON document, on one line; nothing without `--json`. */
  document(value: unknown): void {
    if (this.json) this.terminal.stdout.write(`${scrubCredentials(JSON.stringify(value))}\n`);
  }

  /** Bytes as they are, such as an artifact. Waits for a slow reader. */
  bytes(data: string | Uint8Array): Promise<void> {
    return write(this.terminal.stdout, data);
  }

  error(thrown: unknown): void {
    const fault = toFault(thrown);
    if (this.json) this.document(errorDocument(fault));
    else for (const line of errorLines(fault, this.theme)) this.terminal.stderr.write(`${scrubCredentials(line)}\n`);
    if (this.#debug && thrown instanceof Error) this.terminal.stderr.write(`${scrubCredentials(stackOf(thrown))}\n`);
  }
}

function stackOf(error: Error): string {
  const own = error.stack ?? error.message;
  return error.cause instanceof Error ? `${own}\ncaused by ${stackOf(error.cause)}` : own;
}
