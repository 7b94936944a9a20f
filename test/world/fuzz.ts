const IN_CI = 200_000;
const ELSEWHERE = 20_000;

/** How many cases a property test tries: `ISOMORPH_FUZZ_RUNS`, else as many as CI asks for, or a tenth of that. */
export const FUZZ_RUNS = Number(process.env.ISOMORPH_FUZZ_RUNS ?? (process.env.CI === 'true' ? IN_CI : ELSEWHERE));
