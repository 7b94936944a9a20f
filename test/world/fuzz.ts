/** How many cases a property test tries: 20,000 unless the environment says otherwise (CI: 200,000). */
export const FUZZ_RUNS = Number(process.env.ISOMORPH_FUZZ_RUNS ?? 20_000);
