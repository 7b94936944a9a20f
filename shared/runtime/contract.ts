import Type, { type Static } from 'typebox';

/**
 * The processor contract, versions 1 and 2, as `docs/processor-contract.md` tells it: the job is one line of JSON on
 * standard input; secrets are environment variables; reports are lines of JSON on standard output that carry the
 * key `isomorph`; every other line is log.
 */

const JobInputSchema = Type.Object({
  path: Type.String(),
  cid: Type.String(),
  size: Type.Integer(),
  content_type: Type.String(),
  get_url: Type.String(),
});

const JobOutputSchema = Type.Object({
  path: Type.String(),
  content_type: Type.String(),
  required: Type.Boolean(),
  max_bytes: Type.Integer(),
  put_url: Type.String(),
  /** Sent with the PUT as they are: the URL is signed for them. */
  put_headers: Type.Optional(Type.Record(Type.String(), Type.String())),
});

const JobScratchSchema = Type.Object({
  /** Base URL of the scratch gateway, with its last slash. */
  url: Type.String(),
  token: Type.String(),
});

export const JobSchema = Type.Object(
  {
    /** 2 when an output has `put_headers`, else 1. */
    v: Type.Union([Type.Literal(1), Type.Literal(2)]),
    plan_id: Type.String(),
    step_id: Type.String(),
    execution_id: Type.String(),
    attempt: Type.Integer({ minimum: 1 }),
    processor: Type.String(),
    params: Type.Record(Type.String(), Type.Unknown()),
    inputs: Type.Record(Type.String(), JobInputSchema, { description: 'by the input name of the registry file' }),
    outputs: Type.Record(Type.String(), JobOutputSchema, { description: 'by the relative path of the registry file' }),
    scratch: Type.Optional(JobScratchSchema),
    deadline: Type.String({ format: 'date-time' }),
  },
  { $id: 'https://isomorph.dev/schemas/job.json' },
);

/** What a processor reads from standard input. URLs and token are credentials: they expire, and must not be logged. */
export type Job = Static<typeof JobSchema>;
export type JobInput = Static<typeof JobInputSchema>;
export type JobOutput = Static<typeof JobOutputSchema>;
export type JobScratch = Static<typeof JobScratchSchema>;

export const ReportSchema = Type.Union([
  Type.Object({
    isomorph: Type.Literal('progress'),
    fraction: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
    message: Type.Optional(Type.String()),
  }),
  Type.Object({
    isomorph: Type.Literal('error'),
    code: Type.String(),
    message: Type.String(),
    retryable: Type.Optional(Type.Boolean()),
  }),
]);

export type Report = Static<typeof ReportSchema>;

/** Between SIGTERM and SIGKILL, as the contract promises. */
export const GRACE_MS = 2_000;

/** Variables that every processor finds, whatever its runtime. */
export const surroundings = (home: string, temp = home) => ({ HOME: home, TMPDIR: temp, LANG: 'C.UTF-8', TZ: 'UTC' });

/** Exit codes that mean something. Every other code is a failure that the retry policy may try again. */
export const EXIT_CODES = {
  success: 0,
  /** The input can never succeed (sysexits EX_DATAERR): not retried. */
  bad_input: 65,
  /** A passing fault (sysexits EX_TEMPFAIL). */
  transient: 75,
} as const;
