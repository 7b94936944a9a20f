/**
 * The closed set of error codes. Users act on a code, never on a message; each row says what it means,
 * whether trying the same thing again can help, and what a person can do. `docs/errors.md` is generated from it.
 */
export interface ErrorRow {
  readonly meaning: string;
  /** True when the same request may succeed later without being changed. */
  readonly retryable: boolean;
  readonly remedy: string;
}

const row = (meaning: string, retryable: boolean, remedy: string): ErrorRow => ({ meaning, retryable, remedy });

export const ERROR_TABLE = {
  // World
  ERR_BAD_FACET: row('A WorldPath is not under /artifacts/ or /streams/.', false, 'Start the path with a facet.'),
  ERR_DECODED_SLASH: row('A percent-encoding decodes to a slash.', false, 'Write the slash itself, or drop it.'),
  ERR_DOT_SEGMENTS: row(
    'A segment is made of dots, or ends in a dot or space.',
    false,
    'Name the target without . and .. segments.',
  ),
  ERR_PERCENT_DECODE: row(
    'A percent-encoding is malformed, doubled, or no UTF-8.',
    false,
    'Encode each byte once, as %HH of valid UTF-8.',
  ),
  ERR_SELECTOR_KIND_MISMATCH: row(
    'An exact path was given where a prefix is needed, or the reverse.',
    false,
    'End a prefix in /, an exact path without.',
  ),
  ERR_CHARACTER: row(
    'A path holds a character that could be read in two ways.',
    false,
    'Remove the character that the message names.',
  ),
  ERR_TOO_LONG: row('A path or segment is longer than its limit.', false, 'Shorten it: 255 bytes a segment.'),
  ERR_IMMUTABLE: row(
    'The path already holds other bytes, or belongs to another plan.',
    false,
    'Write to a new path; artifacts are never overwritten.',
  ),
  ERR_NOT_FOUND: row('Nothing exists at this path or name.', false, 'Check the name; list the prefix.'),
  ERR_CID_MISMATCH: row(
    'Bytes do not hash to the CID they should have.',
    false,
    'The copy is damaged or forged; fetch it from another place.',
  ),
  ERR_URL_REFUSED: row(
    'A presigned URL is expired, altered or not for this use.',
    false,
    'Ask for a new URL; use it as it is.',
  ),
  ERR_RANGE: row('A byte range lies outside the object.', false, 'Ask for a range inside its size.'),

  // Commands and plans
  ERR_NOT_JSON: row('The message is not a JSON document.', false, 'Publish one JSON object, UTF-8.'),
  ERR_NOT_I_JSON: row(
    'Two readers would take this JSON differently (RFC 7493): a member twice, a number that no double holds, half a character, or too deep.',
    false,
    'Write the number as a string, or one that a double holds; keep one member a name.',
  ),
  ERR_NOT_YAML: row(
    'The YAML cannot be read, or says what JSON cannot hold.',
    false,
    'Look at the line and column: one value a name, names that are text, numbers that a double holds, no tags, few aliases.',
  ),
  ERR_TOO_LARGE: row('A message, plan, event or commit exceeds its limit.', false, 'Put large data into an artifact.'),
  ERR_SCHEMA: row('A document does not match its schema.', false, 'Correct the place that the pointer names.'),
  ERR_PLAN_ID: row('The plan_id is missing or malformed.', false, 'Use [a-z0-9][a-z0-9_-]{0,62}.'),
  ERR_PLAN_CONFLICT: row('The plan_id is taken by another body that was admitted.', false, 'Choose a new plan_id.'),
  ERR_PLAN_UNKNOWN: row('No plan of this id is in the ledger.', false, 'Check the id with `isomorph plans`.'),
  ERR_PLAN_SETTLED: row('The plan has already ended.', false, 'Submit a new plan.'),
  ERR_PRINCIPAL: row(
    'A command is of nobody who may give it.',
    false,
    'Command as the principal whose plan it is, or as an operator.',
  ),
  ERR_DUPLICATE_STEP: row('Two steps share an id.', false, 'Give each step its own id.'),
  ERR_UNKNOWN_NEED: row('A step needs a step that is not in the plan.', false, 'Name a step of this plan.'),
  ERR_CYCLE: row('Steps need each other in a circle.', false, 'Break the circle that the message names.'),
  ERR_UNKNOWN_PROCESSOR: row('The registry has no such processor.', false, 'See `isomorph registry list`.'),
  ERR_UNKNOWN_POLICY: row('The registry has no such policy.', false, 'See `isomorph registry list`.'),
  ERR_UNKNOWN_PREDICATE: row('No predicate of this name exists.', false, 'Use one of docs/plans.md.'),
  ERR_PARAMS: row('Params do not match the schema of the processor.', false, 'Correct the param that is named.'),
  ERR_INPUT_UNDECLARED: row(
    'An input is not one the processor takes, or one it needs is missing.',
    false,
    'Give the inputs that its registry file lists.',
  ),
  ERR_POLICY: row('The policy does not allow this.', false, 'Stay inside the policy, or ask for another.'),
  ERR_BUDGET_BOUND: row(
    'The steps could cost more than the budget of the plan.',
    false,
    'Raise budget.limit_usd_micro or plan less.',
  ),
  ERR_BUDGET_EXHAUSTED: row(
    'What is left of the budget does not cover the next attempt.',
    false,
    'Submit again with a larger budget.',
  ),
  ERR_MISSING_SECRET: row('A required secret cannot be resolved.', false, 'Provide the named secret.'),
  ERR_ADAPTER: row(
    'The processor does not run on this adapter, or no dispatcher serves it.',
    false,
    'Choose an adapter that the registry file lists.',
  ),
  ERR_CAPABILITY: row('The configured backend lacks what a step needs.', false, 'Configure another backend.'),

  // Executions
  ERR_INPUT_MISSING: row('An input artifact does not exist.', false, 'Put it before the plan starts.'),
  ERR_EXIT: row('The processor ended with a failure.', true, 'Read the tail of its log.'),
  ERR_QUEUE_TIMEOUT: row(
    'No slot was free for the step in its queue_timeout_s.',
    false,
    'Submit again when less is under way, raise queue_timeout_s, or give the dispatchers more slots.',
  ),
  ERR_TIMEOUT: row('The deadline passed.', true, 'Raise timeout_s, or give it less work.'),
  ERR_KILLED: row('The processor was ended by a signal.', true, 'Read the tail of its log.'),
  ERR_DISK_FULL: row(
    'A file system that the processor wrote to is full.',
    false,
    'Write less, or raise scratch_volume_gb of its registry file (memory_gb where it has none).',
  ),
  ERR_OUTPUT_MISSING: row('A required output was not written.', true, 'Read the tail of its log.'),
  ERR_OUTPUT_TOO_LARGE: row('An output is larger than its limit.', false, 'Write less, or raise the limit.'),
  ERR_OUTPUT_UNDECLARED: row(
    'The processor tried to write a path its registry file does not list.',
    false,
    'Declare the output.',
  ),
  ERR_START: row('The runtime could not start the processor.', true, 'Check its image and entrypoint.'),
  ERR_IMAGE_DRIFT: row(
    'The image of a processor is not the one that was admitted.',
    false,
    'Find who moved the tag; pin the image with `isomorph registry pin` and submit again.',
  ),
  ERR_EXECUTION_LOST: row('The execution vanished with its runtime.', true, 'It is tried again by itself.'),
  ERR_CANCELLED: row('The plan was cancelled.', false, 'Submit it again if it was a mistake.'),
  ERR_PREDICATE: row('A success predicate does not hold.', false, 'Read what the predicate found.'),
  ERR_TOO_COSTLY: row(
    'Judging an expression, a schema or a value by it took more time or memory than one may.',
    false,
    'Make it simpler; move what is heavy into a processor.',
  ),

  // Scratch
  ERR_RECEIPT: row(
    'A receipt handle has expired, was used, or belongs to another topic.',
    false,
    'Consume again: the message is delivered to whoever is next.',
  ),

  ERR_TOKEN_REFUSED: row(
    'The scratch token of a job is expired, altered or not for this use.',
    false,
    'Use the token of the job as it is, for what the registry file declares.',
  ),

  // Ledger
  ERR_NOT_AN_EVENT: row(
    'A message in the ledger stream is no event.',
    false,
    'Find who can publish to ledger.>; readers skip it.',
  ),
  ERR_CHAIN_BROKEN: row(
    'An event does not follow from the one before it.',
    false,
    'The ledger was altered at the place named.',
  ),
  ERR_PROJECTION: row(
    'A row in Postgres is not what the ledger says.',
    false,
    'Project anew: update isomorph.position set stream_seq = 0.',
  ),
  ERR_VERSION: row(
    'The ledger of the plan holds an event that a later version wrote; it is intact.',
    true,
    'Start services of the later version: they take the plan over, these read on and do not write to it.',
  ),
  ERR_QUARANTINED: row(
    'The ledger of the plan holds an event that is illegal where it stands: nothing is written to it any more.',
    false,
    'Find who wrote the event that is named; other plans go on. Submit the plan again under another id.',
  ),
  ERR_LEDGER_FULL: row(
    'The ledger keeps what room it has left for the ends of open plans.',
    true,
    'Raise ISOMORPH_MAX_LEDGER_BYTES: `isomorph limits set`; `isomorph doctor` shows what is used.',
  ),
  ERR_LEDGER_GONE: row(
    'The stream of the ledger is gone while others of the deployment are there: it is never made anew.',
    false,
    'Restore the ledger. For a deployment that begins anew remove the other streams too.',
  ),
  ERR_COMMIT_INVALID: row('A service tried to append an illegal commit.', false, 'Report this as a bug.'),
  ERR_APPEND_CONTENDED: row('Too many writers met on one plan.', true, 'It is tried again by itself.'),

  // System
  ERR_CONFIG: row('The configuration is not usable.', false, 'Correct each fault that the message lists.'),
  ERR_NO_ROOM: row(
    'A disk has no room for what must be kept on it, or a limit does not fit it.',
    false,
    'Free the amount that is named, or choose smaller limits: docs/configuration.md.',
  ),
  ERR_LIMIT: row(
    'A limit is reached: of a principal, of a plan, or of all together.',
    true,
    'Wait until less is under way, or have the limit that is named raised: `isomorph limits set`.',
  ),
  ERR_UNIMPLEMENTED: row('This backend does not offer the operation.', false, 'Choose another backend.'),
  ERR_REFUSED: row(
    'A store that worked at the start refuses now: its credentials, its rights or its bucket.',
    true,
    'Renew them; what waits goes on by itself.',
  ),
  ERR_BUSY: row(
    'An execution has too many requests in flight.',
    true,
    'Have fewer at once; ask again after the seconds of Retry-After.',
  ),
  ERR_SLOW: row(
    'The body of a request did not come on, and was ended.',
    true,
    'Send it without long pauses, from what is there already.',
  ),
  ERR_UNAVAILABLE: row('A server could not be reached.', true, 'Check that it runs and the URL is right.'),
  ERR_FILE: row(
    'A file that the command line names cannot be read.',
    false,
    'Check its name, and the folder that it is looked for in: that of the command.',
  ),
  ERR_USAGE: row('The command line was not understood.', false, 'See `isomorph --help`.'),
  ERR_INTERNAL: row('A defect of Isomorph.', true, 'Report it with the log.'),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERROR_TABLE;

export const isErrorCode = (text: string): text is ErrorCode => Object.hasOwn(ERROR_TABLE, text);

export const isRetryable = (code: ErrorCode): boolean => ERROR_TABLE[code].retryable;
