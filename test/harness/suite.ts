import { type Callback, type Context, type Test, suite as uvuSuite } from 'uvu';

export type { Context };

export interface Suite<T> extends Test<T> {
  /** Leaves the whole suite out, saying why; `npm run test:all` treats that as a failure. */
  skipUnless(condition: boolean, reason: string): void;
}

/** No single test may hold up the run: uvu itself has no timeout. */
const TEST_TIMEOUT_MS = Number(process.env.ISOMORPH_TEST_TIMEOUT_MS ?? 120_000);

function withTimeout<T>(name: string, run: Callback<T>): Callback<T> {
  return async (context) => {
    let timer: NodeJS.Timeout | undefined;
    const expiry = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`"${name}" did not end in ${TEST_TIMEOUT_MS} ms`)), TEST_TIMEOUT_MS);
    });
    try {
      await Promise.race([run(context), expiry]);
    } finally {
      clearTimeout(timer);
    }
  };
}

/** uvu's suite with a timeout a test and skips that carry their reason. */
export function suite<T = Context>(name: string, context?: T): Suite<T> {
  const inner = uvuSuite<T>(name, context);
  let skipReason: string | undefined;
  const outer = ((title: string, run: Callback<T>) => {
    inner(title, withTimeout(title, run));
  }) as Suite<T>;
  outer.only = (title, run) => inner.only(title, withTimeout(title, run));
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
