import type { StreamConfig } from '@nats-io/jetstream';
import { ALARMS_STREAM, alarmSubject, MAX_ALARM_BYTES, rungSubject } from './alarms.ts';
import { COMMAND_SUBJECTS, COMMANDS_STREAM } from './commands.ts';
import { ALL_DEAD, DEAD_KEPT_STREAM, DEAD_RING, DEAD_STREAM } from './dead.ts';
import { ALL_FACTS, FACTS_STREAM } from './facts.ts';
import { COMMITTED_LEDGER, LEDGER_STREAM, WHOLE_LEDGER } from './ledger.ts';
import { ALL_LIVE, LIVE_STREAM } from './progress.ts';
import { SCRATCH_STREAMS } from './scratch-streams.ts';
import { ALL_WORK, WORK_STREAM } from './work.ts';

const SECOND_NS = 1_000_000_000;
const DAY_NS = 86_400 * SECOND_NS;

export type StreamSpec = Pick<StreamConfig, 'name'> & Partial<StreamConfig>;

/** Every stream of Isomorph (DESIGN "Subjects and streams"); setup creates them, since services may not, each with its limit of bytes. */
export const STREAMS: readonly StreamSpec[] = [
  {
    name: COMMANDS_STREAM,
    description: 'what clients ask for',
    subjects: [...COMMAND_SUBJECTS],
    retention: 'workqueue',
    // Whoever floods is refused by the server, each subject, and so each principal, on its own.
    discard: 'new',
    discard_new_per_subject: true,
    max_msg_size: 1024 * 1024,
    // The shortest that the server takes: a Nats-Msg-Id is whoever's, and swallows what others send under it. What makes
    // a command that comes twice one is its plan id and body.
    duplicate_window: SECOND_NS / 10,
  },
  {
    name: LEDGER_STREAM,
    description: 'the append-only, hash-chained ledger',
    subjects: [WHOLE_LEDGER],
    retention: 'limits',
    discard: 'new',
    deny_delete: true,
    deny_purge: true,
    republish: { src: WHOLE_LEDGER, dest: COMMITTED_LEDGER },
    compression: 's2',
    allow_direct: true,
    max_msg_size: 1024 * 1024,
    duplicate_window: 120 * SECOND_NS,
  },
  {
    name: WORK_STREAM,
    description: 'scheduled executions, for dispatchers',
    subjects: [ALL_WORK],
    retention: 'workqueue',
    discard: 'new',
    duplicate_window: 120 * SECOND_NS,
  },
  {
    name: ALARMS_STREAM,
    description: 'wake-ups of plans',
    subjects: [alarmSubject(), rungSubject()],
    retention: 'limits',
    // One that was set and one that has rung, of each plan.
    max_msgs_per_subject: 1,
    allow_msg_schedules: true,
    allow_msg_ttl: true,
    allow_rollup_hdrs: true,
    allow_direct: true,
    max_msg_size: MAX_ALARM_BYTES,
    duplicate_window: SECOND_NS / 10,
  },
  {
    name: FACTS_STREAM,
    description: 'what scratch adapters and processors report, for the sampler',
    subjects: [ALL_FACTS],
    retention: 'workqueue',
    discard: 'new',
    max_msg_size: 64 * 1024,
    duplicate_window: 120 * SECOND_NS,
  },
  {
    name: LIVE_STREAM,
    description: 'live chunks',
    subjects: [ALL_LIVE],
    retention: 'limits',
    discard: 'old',
    max_age: DAY_NS,
  },
  {
    name: DEAD_STREAM,
    description: 'what could not be parsed or handled, with the reason',
    subjects: [ALL_DEAD],
    retention: 'limits',
    discard: 'old',
    max_age: 30 * DAY_NS,
    allow_direct: true,
  },
  {
    name: DEAD_KEPT_STREAM,
    description: 'of each principal the newest of what could not be parsed or handled',
    sources: [{ name: DEAD_STREAM, subject_transforms: [DEAD_RING] }],
    retention: 'limits',
    discard: 'old',
    max_age: 30 * DAY_NS,
    allow_direct: true,
  },
  ...SCRATCH_STREAMS,
];

/** Streams that hold only what nobody acknowledged. */
export const WORK_QUEUES: ReadonlySet<string> = new Set(
  STREAMS.filter(({ retention }) => retention === 'workqueue').map(({ name }) => name),
);

/** Streams of earlier versions that nobody reads any more. What they hold is scratch (ADR 53). */
export const RETIRED_STREAMS: readonly string[] = ['SCRATCH_KV'];
