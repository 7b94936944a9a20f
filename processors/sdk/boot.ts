/**
 * The first module of an image that containers may be parked of: `node /app/boot.mjs /app/processor.mjs`. It waits for the
 * job line on standard input, puts the secrets that come in it into the environment, and only then loads the processor,
 * which reads its job from standard input as the contract says. It works the same in a container that was started for
 * one job, and with a job line without secrets. Bundled; imports nothing but Node and the relay.
 */
import { writeSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { startRelay } from './relay.ts';

const STDOUT = 1;
const STDERR = 2;
const LINE_FEED = 0x0a;
const EXIT_FAILURE = 1;
const PARKED_AFTER_MS = 30;

/** What the local runtime adds to the job line for the boot module alone. */
interface BootLine extends Record<string, unknown> {
  readonly secrets?: Readonly<Record<string, string>>;
  /** Proves the last words to be the boot module's own: the processor never sees it. */
  readonly nonce?: string;
}

/** The first line with something in it, and nothing of what follows it; undefined when there is none. */
function firstLine(): Promise<string | undefined> {
  const { stdin } = process;
  return new Promise((resolve) => {
    let seen = Buffer.alloc(0);
    const look = (chunk: Buffer): void => {
      seen = Buffer.concat([seen, chunk]);
      for (let end = seen.indexOf(LINE_FEED); end !== -1; end = seen.indexOf(LINE_FEED)) {
        const line = seen.toString('utf8', 0, end).trim();
        seen = seen.subarray(end + 1);
        if (line === '') continue;
        stdin.off('data', look);
        stdin.pause();
        resolve(line);
        return;
      }
    };
    stdin.on('data', look);
    stdin.once('end', () => resolve(seen.toString('utf8').trim() || undefined));
  });
}

function parseLine(line: string): BootLine | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as BootLine) : undefined;
  } catch {
    // The processor says what is wrong with its job.
    return undefined;
  }
}

/** From here on standard input is the job line, as if nobody had read it. */
function replaceStdin(line: string): void {
  process.stdin.unref();
  Object.defineProperty(process, 'stdin', {
    value: Readable.from([`${line}\n`], { objectMode: false }),
    configurable: true,
  });
  syncBuiltinESMExports();
}

const say = (fd: number, what: Record<string, unknown>): number => writeSync(fd, `${JSON.stringify(what)}\n`);

/**
 * Says how the processor ended, after its own last words, so that the runtime need not wait for the engine to clear the
 * container away. A processor that listens for its exit itself might still change the code: nothing is said then.
 */
function tellTheEnd(nonce: string): void {
  const tell = (code: number): void => {
    const ended = { isomorph: 'boot.ended', nonce, exit_code: code, at_ms: Date.now() };
    for (const fd of [STDOUT, STDERR]) say(fd, ended);
  };
  process.once('exit', tell);
  process.on('newListener', (name) => {
    if (name === 'exit') process.off('exit', tell);
  });
}

/**
 * Parts of Node that processors use and Node loads when first asked: a container that was parked has the time for that
 * before its job comes. Nothing of the processor is touched.
 */
async function warmUp(): Promise<void> {
  await Promise.all([
    import('node:child_process'),
    import('node:crypto'),
    import('node:fs/promises'),
    import('node:readline'),
    import('node:stream/promises'),
  ]);
  // Loads what `fetch` is made of.
  await new Response('').text();
}

/** Without a job there is nothing to do: whoever parked this container is no more. */
function giveUp(): never {
  process.stderr.write('standard input ended before a job arrived\n');
  process.exit(EXIT_FAILURE);
}

async function boot(): Promise<void> {
  const program = path.resolve(process.argv[2] ?? '');
  // A listener that lasts as long as the process does: nobody waits for its end.
  await startRelay();
  // A container that was started for one job has it by then.
  const idle = setTimeout(() => void warmUp(), PARKED_AFTER_MS);
  const line = (await firstLine()) ?? giveUp();
  clearTimeout(idle);
  const told = parseLine(line);
  const { secrets = {}, nonce, ...job } = told ?? {};
  Object.assign(process.env, secrets);
  replaceStdin(told === undefined ? line : JSON.stringify(job));
  process.argv.splice(1, 2, program);
  if (nonce !== undefined) {
    say(STDOUT, { isomorph: 'boot.received', nonce, at_ms: Date.now() });
    tellTheEnd(nonce);
  }
  await import(pathToFileURL(program).href);
}

await boot();
