/** One input artifact. The URL is a credential: it expires, and must not be logged. */
export interface JobInput {
  readonly path: string;
  readonly cid: string;
  readonly size: number;
  readonly content_type: string;
  readonly get_url: string;
}

/** One declared output, at an absolute WorldPath. The URL is a credential. */
export interface JobOutput {
  readonly path: string;
  readonly content_type: string;
  readonly required: boolean;
  readonly max_bytes: number;
  readonly put_url: string;
  /** Sent with the PUT: the URL is signed for them. From version 2 on. */
  readonly put_headers?: Readonly<Record<string, string>>;
}

/** Where KV and queues of the plan are. The token is a credential. */
export interface JobScratch {
  readonly url: string;
  readonly token: string;
}

/** The first line of standard input, version 1 or 2 of the processor contract. */
export interface Job {
  readonly v: 1 | 2;
  readonly plan_id: string;
  readonly step_id: string;
  readonly execution_id: string;
  readonly attempt: number;
  readonly processor: string;
  readonly params: Record<string, unknown>;
  readonly inputs: Record<string, JobInput>;
  readonly outputs: Record<string, JobOutput>;
  /** There when the registry file lists KV or queues. */
  readonly scratch?: JobScratch;
  readonly deadline: string;
}

type Kind = 'string' | 'number' | 'boolean' | 'object';

const JOB_FIELDS: Record<Exclude<keyof Job, 'scratch'>, Kind> = {
  v: 'number',
  plan_id: 'string',
  step_id: 'string',
  execution_id: 'string',
  attempt: 'number',
  processor: 'string',
  params: 'object',
  inputs: 'object',
  outputs: 'object',
  deadline: 'string',
};
const SCRATCH_FIELDS: Record<keyof JobScratch, Kind> = { url: 'string', token: 'string' };
const INPUT_FIELDS: Record<keyof JobInput, Kind> = {
  path: 'string',
  cid: 'string',
  size: 'number',
  content_type: 'string',
  get_url: 'string',
};
const OUTPUT_FIELDS: Record<Exclude<keyof JobOutput, 'put_headers'>, Kind> = {
  path: 'string',
  content_type: 'string',
  required: 'boolean',
  max_bytes: 'number',
  put_url: 'string',
};

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function firstFault(value: unknown, fields: Record<string, Kind>, pointer: string): string | undefined {
  if (!isRecord(value)) return `${pointer || 'the job'} is not an object`;
  for (const [name, kind] of Object.entries(fields)) {
    const field = value[name];
    const right = kind === 'object' ? isRecord(field) : typeof field === kind;
    if (!right) return `${pointer}/${name} is not a ${kind}`;
  }
  return undefined;
}

const areHeaders = (value: unknown): boolean =>
  value === undefined || (isRecord(value) && Object.values(value).every((one) => typeof one === 'string'));

function faultOfJob(job: unknown): string | undefined {
  const fault = firstFault(job, JOB_FIELDS, '');
  if (fault !== undefined || !isRecord(job)) return fault;
  if (job.v !== 1 && job.v !== 2) return '/v is not 1 or 2, the versions this SDK speaks';
  if (Number.isNaN(Date.parse(String(job.deadline)))) return '/deadline is not a date-time';
  const inScratch = job.scratch === undefined ? undefined : firstFault(job.scratch, SCRATCH_FIELDS, '/scratch');
  if (inScratch !== undefined) return inScratch;
  for (const [key, fields] of [
    ['inputs', INPUT_FIELDS],
    ['outputs', OUTPUT_FIELDS],
  ] as const) {
    for (const [name, entry] of Object.entries(job[key] as Record<string, unknown>)) {
      const inside = firstFault(entry, fields, `/${key}/${name}`);
      if (inside !== undefined) return inside;
      if (!areHeaders((entry as Partial<JobOutput>).put_headers)) return `/${key}/${name}/put_headers are not headers`;
    }
  }
  return undefined;
}

/**
 * Reads the job line. The fault is a sentence that names the place and never quotes the line, which holds credentials.
 */
export function parseJob(line: string): { readonly job: Job } | { readonly fault: string } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    // The message of JSON.parse quotes its input.
    return { fault: 'the first line of standard input is not JSON' };
  }
  return checkJob(parsed);
}

/** A job that arrived as a value. */
export function checkJob(value: unknown): { readonly job: Job } | { readonly fault: string } {
  const fault = faultOfJob(value);
  return fault === undefined ? { job: value as Job } : { fault: `the job is malformed: ${fault}` };
}
