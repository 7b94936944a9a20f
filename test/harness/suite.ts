import { type Callback, type Context, type Test, suite as uvuSuite } from 'uvu';

export type { Context };

export interface Suite<T> extends Test<T> {
  /** Leaves the whole suite out, saying why; `npm run test:all` treats that as a failure. */
  skipUnless(condition: boolean, reason: string): void;
}

export interface SuiteOptions {
  /** For one test. Default: `ISOMORPH_TEST_TIMEOUT_MS`, else two minutes; uvu itself has none. */
  readonly timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = Number(process.env.ISOMORPH_TEST_TIMEOUT_MS ?? 120_000);

function withTimeout<T>(name: string, run: Callback<T>, timeoutMs: number): Callback<T> {
  return async (context) => {
    let timer: NodeJS.Timeout | undefined;
    const expiry = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`"${name}" did not end in ${timeoutMs} ms`)), timeoutMs);
    });
    try {
      await Promise.race([run(context), expiry]);
    } finally {
      clearTimeout(timer);
    }
  };
}

/** uvu's suite with a timeout a test and skips that carry their reason. */
export function suite<T = Context>(name: string, context?: T, options: SuiteOptions = {}): Suite<T> {
  const { timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  const inner = uvuSuite<T>(name, context);
  let skipReason: string | undefined;
  const outer = ((title: string, run: Callback<T>) => {
    inner(title, withTimeout(title, run, timeoutMs));
  }) as Suite<T>;
  outer.only = (title, run) => inner.only(title, withTimeout(title, run, timeoutMs));
  outer.skip = inner.skip;
  outer.before = inner.before;
  outer.after = inner.after;
  outer.skipUnless = (condition, reason) => {
    if (!condition) skipReason ??= reason;
  };
  outer.run = () => {
    if (skipReason === undefined) inner.run();
    else process.stdout.write(`SKIPPED SUITE ${name}: ${skipReason}\n`);
  };
  return outer;
}
