import type { Readable, Writable } from 'node:stream';

/** Everything a command knows of the process it runs in; tests hand in their own. */
export interface Terminal {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Standard output is a terminal: colours, and lines that are drawn again. */
  readonly isTty: boolean;
  /** Width of that terminal. */
  readonly columns: number;
  /** Aborted by Ctrl-C, SIGTERM and SIGHUP; a second Ctrl-C ends the process at once. */
  readonly interrupted: AbortSignal;
}

const DEFAULT_COLUMNS = 100;

/** A reader that has seen enough (`| head`), or a terminal that was closed, is no failure of ours. */
function onLostReader(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(0);
  // SIGHUP tells of a closed terminal, and what is to be done then.
  if (error.code !== 'EIO') throw error;
}

/** The terminal of this process. */
export function processTerminal(): Terminal {
  const controller = new AbortController();
  const interrupt = (): void => {
    // Nobody listens any more: what hangs in its clean-up must be endable.
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  // The terminal was closed: a stack that runs on it must still be ended in order.
  process.on('SIGHUP', () => controller.abort());
  process.stdout.on('error', onLostReader);
  process.stderr.on('error', onLostReader);
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: process.cwd(),
    isTty: process.stdout.isTTY === true,
    columns: process.stdout.columns ?? DEFAULT_COLUMNS,
    interrupted: controller.signal,
  };
}
