import type { Suite } from '../harness/suite.ts';

export type { Context, Suite, SuiteOptions } from '../harness/suite.ts';

/** A test that waits for the worker to run it. */
export interface CollectedTest {
  readonly name: string;
  run(): unknown;
}

declare global {
  /** Where a loaded suite leaves its tests; the worker and each bundle meet here only. */
  var collectedTests: CollectedTest[] | undefined;
}

/**
 * Stands in for the harness' suite when mutants run: it only collects, so that the worker can run the tests that a
 * mutant concerns and stop at the first that fails.
 */
export function suite<T>(name: string, context = {} as T): Suite<T> {
  const tests: CollectedTest[] = [];
  const refuse = (): never => {
    throw new Error(`${name}: a suite that judges mutants has no hooks, no only and no skip`);
  };
  const outer = ((title: string, run: (context: T) => unknown) => {
    tests.push({ name: `${name}: ${title}`, run: () => run(context) });
  }) as Suite<T>;
  outer.only = refuse;
  outer.skip = refuse;
  outer.before = Object.assign(refuse, { each: refuse });
  outer.after = Object.assign(refuse, { each: refuse });
  outer.skipUnless = refuse;
  outer.run = () => {
    globalThis.collectedTests?.push(...tests);
  };
  return outer;
}
