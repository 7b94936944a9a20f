import { type Callback, type Context, type Test, suite as uvuSuite } from 'uvu';
import { tellCpuTime } from './cpu-time.ts';
import { endFamily, MARK } from './family.ts';
import { scaledMs } from './slowness.ts';

export type { Context };

export interface Suite<T> extends Test<T> {
  /** Leaves the whole suite out, saying why; `npm run test:all` treats that as a failure. */
  skipUnless(condition: boolean, reason: string): void;
}

export interface SuiteOptions {
  /** For one test or hook on a quiet machine. Default: two minutes; uvu itself has none. */
  readonly timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 120_000;
/** What is cleaned up in order after a time-out must not hang as the test did. */
const AFTERWARDS_MS = 5_000;
const GRACE_MS = 2_000;

/** uvu's queue of suites, read while it is run. */
declare global {
  var UVU_QUEUE: (null | (() => Promise<readonly [true | string, number, number, number]>))[][];
}

/** What hung, once something did: the tests after it would work beside it, and on what it left. */
let hung: string | undefined;

/** Runs after the last suite; uvu prints its counts, then this process and all that it started end. */
async function endProcess(): Promise<readonly [true, number, number, number]> {
  setTimeout(async () => {
    await endFamily(process.pid, { mark: process.env[MARK], graceMs: GRACE_MS });
    process.exit(1);
  });
  return [true, 0, 0, 0];
}

function expire(what: string): void {
  if (hung === undefined) globalThis.UVU_QUEUE[0]?.push(endProcess);
  hung ??= what;
}

function withTimeout<T>(what: string, run: Callback<T>, limitMs: () => number): Callback<T> {
  return async (context) => {
    let timer: NodeJS.Timeout | undefined;
    const timeoutMs = limitMs();
    const expiry = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        expire(what);
        reject(new Error(`${what} did not end in ${timeoutMs} ms`));
      }, timeoutMs);
    });
    try {
      await Promise.race([run(context), expiry]);
    } finally {
      clearTimeout(timer);
    }
  };
}

/** uvu's suite with a timeout a test and a hook, and skips that carry their reason. */
export function suite<T = Context>(name: string, context?: T, options: SuiteOptions = {}): Suite<T> {
  // Not where the harness is only loaded: what other programs print is theirs.
  if (!process.listeners('exit').includes(tellCpuTime)) process.once('exit', tellCpuTime);
  const timeoutMs = scaledMs(options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  const inner = uvuSuite<T>(name, context);
  let skipReason: string | undefined;
  const bounded = (title: string, run: Callback<T>): Callback<T> => {
    const timed = withTimeout(`"${title}"`, run, () => timeoutMs);
    return async (state) => {
      if (hung !== undefined) throw new Error(`not run, because ${hung} hangs`);
      await timed(state);
    };
  };
  const hook = (title: string, add: (run: Callback<T>) => void) => (run: Callback<T>) => {
    const limitMs = () => (hung === undefined ? timeoutMs : scaledMs(AFTERWARDS_MS));
    const timed = withTimeout(`what runs ${title} "${name}"`, run, limitMs);
    add(async (state) => {
      try {
        await timed(state);
      } catch (error) {
        // uvu counts the tests as failed and does not say why.
        process.stdout.write(`\n${error instanceof Error ? error.stack : error}\n`);
        throw error;
      }
    });
  };
  const outer = ((title: string, run: Callback<T>) => inner(title, bounded(title, run))) as Suite<T>;
  outer.only = (title, run) => inner.only(title, bounded(title, run));
  outer.skip = inner.skip;
  outer.before = Object.assign(hook('before', inner.before), { each: hook('before each test of', inner.before.each) });
  outer.after = Object.assign(hook('after', inner.after), { each: hook('after each test of', inner.after.each) });
  outer.skipUnless = (condition, reason) => {
    if (!condition) skipReason ??= reason;
  };
  outer.run = () => {
    if (skipReason === undefined) inner.run();
    else process.stdout.write(`SKIPPED SUITE ${name}: ${skipReason}\n`);
  };
  return outer;
}
