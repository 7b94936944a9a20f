/** How many times slower than a quiet machine this one is taken to be: `ISOMORPH_TEST_SLOWNESS`, default 1. */
const SLOWNESS = Number(process.env.ISOMORPH_TEST_SLOWNESS ?? 1);
if (!(SLOWNESS > 0 && SLOWNESS <= 1_000)) {
  throw new Error(
    `ISOMORPH_TEST_SLOWNESS is ${process.env.ISOMORPH_TEST_SLOWNESS}: a number above 0 is expected, 1000 at most`,
  );
}

/** A deadline of a test, or a wait that only bounds what hangs, for this machine. */
export const scaledMs = (ms: number): number => Math.round(ms * SLOWNESS);
