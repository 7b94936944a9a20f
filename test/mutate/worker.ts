/**
 * A process that runs suites with one mutant switched on, many after each other. Each run loads the suite and the code
 * anew, so that nothing that a mutant left in a module reaches the next.
 */
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import type { CollectedTest } from './suite.ts';

export interface RunRequest {
  /** File of a bundled suite. */
  readonly bundle: string;
  /** Id of the mutant; without one the code is as it stands, and what each test reaches is told. */
  readonly mutant?: string;
  /** Tests to run, by their place in the suite; undefined means all. */
  readonly tests?: readonly number[] | undefined;
  /** A mutated place may be passed so often: beyond it the mutant loops. */
  readonly hitLimit?: number;
}

/** How often each mutant was passed, by id. */
export type Hits = Readonly<Record<string, number>>;

export interface RunReply {
  /** The first test that failed, with its error. */
  readonly failed?: { readonly test: string; readonly error: string };
  readonly loadHits: Hits;
  /** By place of the test in the suite. */
  readonly testHits: readonly Hits[];
  readonly durationMs: number;
}

/** What Stryker's switches read and write. */
interface Switchboard {
  activeMutant?: string | undefined;
  currentTestId?: string | undefined;
  hitCount?: number | undefined;
  hitLimit?: number | undefined;
  mutantCoverage?: { static: Record<string, number>; perTest: Record<string, Record<string, number>> } | undefined;
}

const SWITCHBOARD: Switchboard = {};
Object.assign(globalThis, { __stryker__: SWITCHBOARD });

// The same inputs for every mutant, and no search for the smallest that fails: that it fails is enough.
fc.configureGlobal({ seed: 1, endOnFailure: true });
process.env.ISOMORPH_FUZZ_RUNS ??= '500';
process.env.ISOMORPH_HISTORIES ??= '50';

let loads = 0;

async function load(bundle: string): Promise<readonly CollectedTest[]> {
  globalThis.collectedTests = [];
  await import(`${pathToFileURL(bundle).href}?load=${++loads}`);
  return globalThis.collectedTests;
}

const told = (error: unknown): string => String(error instanceof Error ? error.message : error).slice(0, 200);

async function firstFailure({ bundle, tests: wanted }: RunRequest): Promise<RunReply['failed']> {
  let test = 'when the suite is loaded';
  try {
    for (const [index, one] of (await load(bundle)).entries()) {
      if (wanted !== undefined && !wanted.includes(index)) continue;
      test = one.name;
      SWITCHBOARD.currentTestId = String(index);
      await one.run();
    }
    return undefined;
  } catch (error) {
    return { test, error: told(error) };
  }
}

async function run(request: RunRequest): Promise<RunReply> {
  const { mutant, hitLimit } = request;
  const coverage = { static: {}, perTest: {} as Record<string, Hits> };
  Object.assign(SWITCHBOARD, {
    activeMutant: mutant,
    currentTestId: undefined,
    hitCount: hitLimit === undefined ? undefined : 0,
    hitLimit,
    mutantCoverage: coverage,
  });
  const startMs = performance.now();
  const failed = await firstFailure(request);
  return {
    ...(failed === undefined ? {} : { failed }),
    loadHits: coverage.static,
    testHits: Array.from({ length: globalThis.collectedTests?.length ?? 0 }, (_, test) => coverage.perTest[test] ?? {}),
    durationMs: performance.now() - startMs,
  };
}

process.on('message', async (request: RunRequest) => {
  process.send?.(await run(request));
});
