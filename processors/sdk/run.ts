import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';
import { type ContextShell, openContext } from './context.ts';
import { EXIT_SUCCESS, ProcessorError } from './errors.ts';
import { type Job, parseJob } from './job.ts';
import { errorOf, exitOf, failWith, perform, type Work } from './perform.ts';

/** 128 + SIGTERM, as shells report it. */
const EXIT_TERMINATED = 143;

/** The first line with something in it: some engines open an attached stdin with an empty one. */
async function readJobLine(): Promise<string> {
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line.trim() !== '') return line;
  }
  throw new ProcessorError('standard input ended before a job arrived', { code: 'ERR_SCHEMA' });
}

async function receiveJob(): Promise<Job> {
  const answer = parseJob(await readJobLine());
  if ('job' in answer) return answer.job;
  throw new ProcessorError(answer.fault, { code: 'ERR_SCHEMA' });
}

const drained = (stream: Writable): Promise<void> => new Promise((resolve) => stream.write('', () => resolve()));

async function exit(code: number): Promise<never> {
  await Promise.all([drained(process.stdout), drained(process.stderr)]);
  process.exit(code);
}

/** Reports any thrown value and returns the exit code it stands for. */
function reportFailure(thrown: unknown, shell: ContextShell | undefined): number {
  if (shell !== undefined) return failWith(thrown, shell);
  process.stdout.write(`${JSON.stringify(errorOf(thrown))}\n`);
  return exitOf(thrown);
}

/**
 * Runs one job: reads it from standard input, calls `work`, reports a failure, and ends the process with the exit code
 * of the contract: 0, 65 (`BadInputError`), 75 (`TransientError`), 143 (SIGTERM) or 1. Required outputs that `work` did
 * not write are a failure (`ERR_OUTPUT_MISSING`).
 */
export async function runProcessor(work: Work): Promise<never> {
  const ending = new AbortController();
  let shell: ContextShell | undefined;
  process.once('SIGTERM', () => {
    ending.abort();
    process.exit(EXIT_TERMINATED);
  });
  process.on('uncaughtException', (thrown) => void exit(reportFailure(thrown, shell)));
  try {
    shell = openContext(await receiveJob(), process.env, ending.signal, {
      stdout: (line) => process.stdout.write(line),
      stderr: (line) => process.stderr.write(line),
    });
    await perform(work, shell);
  } catch (thrown) {
    return exit(reportFailure(thrown, shell));
  }
  return exit(EXIT_SUCCESS);
}
