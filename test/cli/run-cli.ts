import { spawn } from 'node:child_process';
import { Readable, Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { main } from '../../cli/main.ts';

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output as JSON documents, one a line. */
  documents(): unknown[];
}

export interface CliOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly stdin?: string;
  readonly isTty?: boolean;
  /** Default: 100. */
  readonly columns?: number;
  /** Told with all that has been written to standard output so far. */
  readonly onOutput?: (text: string) => void;
}

class Collected extends Writable {
  text = '';
  readonly #onOutput: (text: string) => void;

  constructor(onOutput: (text: string) => void = () => undefined) {
    super();
    this.#onOutput = onOutput;
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: () => void): void {
    this.text += Buffer.from(chunk).toString('utf8');
    this.#onOutput(this.text);
    done();
  }
}

const resultOf = (code: number, stdout: string, stderr: string): CliResult => ({
  code,
  stdout,
  stderr,
  documents: () =>
    stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line): unknown => JSON.parse(line)),
});

/** One command line in this process, on a terminal of its own. */
export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const stdout = new Collected(options.onOutput);
  const stderr = new Collected();
  const code = await main(args, {
    stdin: Readable.from([Buffer.from(options.stdin ?? '')]),
    stdout,
    stderr,
    env: options.env ?? {},
    cwd: options.cwd ?? '/',
    isTty: options.isTty ?? false,
    columns: options.columns ?? 100,
    interrupted: new AbortController().signal,
  });
  return resultOf(code, stdout.text, stderr.text);
}

const BIN = fileURLToPath(new URL('../../bin/isomorph.mjs', import.meta.url));

/** The program as a shell runs it. */
export async function runBin(args: readonly string[], { env = {}, cwd = '/' }: CliOptions = {}): Promise<CliResult> {
  const child = spawn(process.execPath, [BIN, ...args], { cwd, env: { PATH: process.env.PATH, ...env } });
  child.stdin.end();
  const ended = new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? -1)));
  const [stdout, stderr] = await Promise.all([buffer(child.stdout), buffer(child.stderr)]);
  return resultOf(await ended, stdout.toString(), stderr.toString());
}
