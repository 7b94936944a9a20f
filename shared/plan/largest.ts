import { type Fault, fault } from '../errors/isomorph-error.ts';
import { canonicalBytes } from '../hash/canonical.ts';
import { executionFolder, executionId } from '../ids/ids.ts';
import { PATH_LIMITS } from '../ids/world-path.ts';
import { type Draft, type Environment, EVENT_LIMITS } from '../ledger/events.ts';
import type { AdmittedStep } from './admitted.ts';
import type { Processor } from './registry.ts';

/**
 * How large what a registry entry or a plan asks for could become in the ledger, measured on drafts that are as large as
 * their writers can make them. What could not be written is refused when it is loaded or submitted, not when it has run.
 */

/** Characters of what an event of a failed or lost execution carries for people; the whole log is an artifact. */
export const TOLD_CHARACTERS = { message: 1_000, log_tail: 3_000 } as const;

const HASH = `blake3:${'f'.repeat(64)}`;
const SHA256 = 'f'.repeat(64);
const NAME = 'n'.repeat(63);
/** Attempts and losses of a step have bounds of two digits together. */
const EXECUTION_ID = executionId(NAME, NAME, 99);
const TIME = '2026-11-22T08:00:00.000Z';
/** Of any text that JSON holds a control character takes the most: six bytes for one. */
const longest = (characters: number): string => '\u0001'.repeat(characters);
/** Where control characters are taken out, three bytes for one. */
const longestVisible = (characters: number): string => '€'.repeat(characters);
const TOKEN = longest(256);

/** A legal path at its limit, of the one character that paths may hold and JSON escapes. */
export const LONGEST_PATH = `/artifacts/${`${'"'.repeat(PATH_LIMITS.segment_bytes)}/`.repeat(4)}`.slice(
  0,
  PATH_LIMITS.key_bytes,
);

/** What every event has beside its kind and data. */
const ENVELOPE = {
  by: 'dispatcher',
  plan_id: NAME,
  prev_hash: HASH,
  seq: Number.MAX_SAFE_INTEGER,
  this_hash: HASH,
  ts: TIME,
  v: 99,
} as const;

/** Bytes of a draft as an event, at most. */
export const eventBytes = (draft: Draft): number => canonicalBytes({ ...ENVELOPE, ...draft }).byteLength;

/** Bytes of drafts as one commit, at most. */
export const commitBytes = (drafts: readonly Draft[]): number =>
  drafts.reduce((sum, draft) => sum + eventBytes(draft) + 1, -1);

const tooLarge = (what: string, bytes: number, limit: number, pointer: string): Fault[] =>
  bytes <= limit
    ? []
    : [fault('ERR_TOO_LARGE', `${what} may have ${bytes} bytes`, { pointer, expected: `at most ${limit} bytes` })];

/** What does not fit one event, at `pointer`. */
const eventFaults = (what: string, draft: Draft, pointer: string): Fault[] =>
  tooLarge(what, eventBytes(draft), EVENT_LIMITS.event_bytes, pointer);

/** What does not fit one commit, at `pointer`. */
export const commitFaults = (what: string, drafts: readonly Draft[], pointer: string): Fault[] =>
  tooLarge(what, commitBytes(drafts), EVENT_LIMITS.commit_bytes, pointer);

const environmentOf = ({ image, runtime, secrets }: Processor): Environment => ({
  adapter: 'modal',
  // Admission adds the digest.
  image: `${image}@sha256:${SHA256}`,
  image_digest: TOKEN,
  claimed: true,
  cpu: runtime.cpu,
  memory_gb: runtime.memory_gb,
  timeout_s: runtime.timeout_s,
  ...(runtime.gpu === undefined ? {} : { gpu: runtime.gpu }),
  region: TOKEN,
  present_env_keys: secrets.required,
  // Two of what its runtime is made of: its engine and its system.
  versions: { [`${NAME}1`]: TOKEN, [`${NAME}2`]: TOKEN },
});

const written = (path: string, content_type: string): Draft => ({
  kind: 'artifact.written',
  data: { path, cid: HASH, sha256: SHA256, size: Number.MAX_SAFE_INTEGER, content_type, execution_id: EXECUTION_ID },
});

const LOG = written(`${executionFolder(NAME, EXECUTION_ID)}log.txt`, 'text/plain; charset=utf-8');

/** The largest commits that may end an execution: one that left all its outputs, and one that failed with much to say. */
export function largestEnds(processor: Processor): { readonly succeeded: Draft[]; readonly failed: Draft[] } {
  const about = { execution_id: EXECUTION_ID, duration_ms: Number.MAX_SAFE_INTEGER };
  const environment = environmentOf(processor);
  const outputs = processor.outputs.map(({ content_type }) => written(LONGEST_PATH, content_type));
  const failed: Draft = {
    kind: 'execution.failed',
    data: {
      ...about,
      code: NAME,
      message: longest(TOLD_CHARACTERS.message),
      retryable: false,
      exit_code: Number.MIN_SAFE_INTEGER,
      log_tail: longestVisible(TOLD_CHARACTERS.log_tail),
      environment,
    },
  };
  return {
    succeeded: [...outputs, LOG, { kind: 'execution.succeeded', data: { ...about, environment } }],
    failed: [LOG, failed],
  };
}

/** Why what a processor does could not be written, wherever a plan lets it write. Pointers into its registry file. */
export function processorSizeFaults(processor: Processor): Fault[] {
  const { succeeded, failed } = largestEnds(processor);
  return [
    ...failed.flatMap((draft) => eventFaults(`${draft.kind} of an execution`, draft, '/secrets/required')),
    ...commitFaults('the commit that names its outputs', succeeded, '/outputs'),
  ];
}

/** `execution.started` of a step, at its largest. */
export const largestStart = ({ inputs }: Pick<AdmittedStep, 'inputs'>): Draft => ({
  kind: 'execution.started',
  data: {
    execution_id: EXECUTION_ID,
    worker: TOKEN,
    session: TOKEN,
    deadline: TIME,
    params_cid: HASH,
    inputs: Object.fromEntries(Object.entries(inputs).map(([name, path]) => [name, { path, cid: HASH }])),
  },
});

/** JSON around an input, and its CID. */
const BYTES_PER_INPUT = 128;
/** Of any text that JSON holds. */
const BYTES_PER_CHARACTER = 6;

const BYTES_WITHOUT_INPUTS = eventBytes(largestStart({ inputs: {} }));

/** Whether the inputs are so few and short that their event fits, whatever characters they are of. */
function fitsClearly(inputs: AdmittedStep['inputs']): boolean {
  let bytes = BYTES_WITHOUT_INPUTS;
  for (const [name, path] of Object.entries(inputs)) {
    bytes += BYTES_PER_INPUT + BYTES_PER_CHARACTER * (name.length + path.length);
  }
  return bytes <= EVENT_LIMITS.event_bytes;
}

/** Why a step could not be started: its inputs do not fit one event, at `pointer`. Of thousands of steps few are measured. */
export const startFaults = (step: Pick<AdmittedStep, 'inputs'>, pointer: string): Fault[] =>
  fitsClearly(step.inputs) ? [] : eventFaults('the event of its start', largestStart(step), pointer);
