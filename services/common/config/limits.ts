/**
 * What may be used at most: small by default, since a limit that is never met protects nobody. Every limit of a deployment is a
 * row here; `docs/configuration.md`, `isomorph limits` and `doctor` are made from it (ADR 92).
 */
import { formatAmount, parseAmount } from '../../../shared/text/amount.ts';
import { integer, type WithFallback } from './variable.ts';

export type LimitUnit = 'bytes' | 'count';

/** A limit is a variable like others, of a whole number between two bounds. */
export interface Limit extends WithFallback<number> {
  readonly unit: LimitUnit;
  readonly least: number;
  readonly most: number;
  /** What is old gives way to what is new: that it is full is how it works. */
  readonly isRolling?: true;
}

const KIB = 1024;
const MIB = 1024 * KIB;
const TIB = 1024 * 1024 * MIB;

type Bounds = Pick<Limit, 'name' | 'meaning' | 'fallback'> & Partial<Pick<Limit, 'least' | 'most' | 'isRolling'>>;

const bytes = ({ least = MIB, most = TIB, ...spec }: Bounds): Limit => ({
  ...{ ...spec, least, most, unit: 'bytes', neededBy: [] },
  expected: `bytes, or an amount such as 64MiB, from ${formatAmount(least)} to ${formatAmount(most)}`,
  parse: (text) => {
    const amount = parseAmount(text);
    return amount !== undefined && amount >= least && amount <= most ? amount : undefined;
  },
});

const count = ({ least = 1, most = 1_000_000, ...spec }: Bounds): Limit => ({
  ...{ ...spec, least, most, unit: 'count', neededBy: [] },
  expected: `an integer from ${least} to ${most}`,
  parse: integer(least, most),
});

/** What the streams of NATS hold. All at their limits fit a disk with 1 GiB free. */
const STREAM_LIMITS = {
  ledgerBytes: bytes({
    name: 'ISOMORPH_MAX_LEDGER_BYTES',
    meaning: 'the ledger (LEDGER), which never gives anything up: at nine tenths no new plan is taken',
    fallback: 256 * MIB,
  }),
  commandsBytes: bytes({
    name: 'ISOMORPH_MAX_COMMANDS_BYTES',
    meaning: 'commands that wait for admission (COMMANDS)',
    fallback: 64 * MIB,
  }),
  workBytes: bytes({
    name: 'ISOMORPH_MAX_WORK_BYTES',
    meaning: 'executions that wait for a dispatcher (WORK)',
    fallback: 16 * MIB,
  }),
  alarmsBytes: bytes({
    name: 'ISOMORPH_MAX_ALARMS_BYTES',
    meaning: 'deadlines of open plans (ALARMS), some 300 bytes each: when it is full no new plan is taken',
    fallback: 16 * MIB,
  }),
  factsBytes: bytes({
    name: 'ISOMORPH_MAX_FACTS_BYTES',
    meaning: 'reports that wait for the sampler (FACTS)',
    fallback: 32 * MIB,
  }),
  liveBytes: bytes({
    name: 'ISOMORPH_MAX_STREAMS_BYTES',
    meaning: 'live series of all plans (STREAMS); the oldest chunks go',
    fallback: 32 * MIB,
    isRolling: true,
  }),
  deadBytes: bytes({
    name: 'ISOMORPH_MAX_DEAD_BYTES',
    meaning: 'what was refused or given up: half for the newest of all (DEAD), half for the newest of each (DEAD_KEPT)',
    fallback: 32 * MIB,
    isRolling: true,
  }),
  kvBytes: bytes({
    name: 'ISOMORPH_MAX_KV_BYTES',
    meaning: 'keys and values of all plans on `nats:` (KV_SCRATCH); the last eighth is for deletions',
    fallback: 64 * MIB,
  }),
  queuesBytes: bytes({
    name: 'ISOMORPH_MAX_QUEUES_BYTES',
    meaning: 'messages in all queues on `nats:` (SCRATCH_QUEUE_0 to 15, a sixteenth each)',
    fallback: 256 * MIB,
    least: 16 * MIB,
  }),
} as const;

/** What one who commands may have under way. A day is the last 24 hours. */
const PRINCIPAL_LIMITS = {
  waitingCommands: count({
    name: 'ISOMORPH_MAX_WAITING_COMMANDS_A_PRINCIPAL',
    meaning: 'commands of one kind that wait for admission, of one principal',
    fallback: 256,
  }),
  deadLettersOfPrincipal: count({
    name: 'ISOMORPH_MAX_DEAD_LETTERS_A_PRINCIPAL',
    meaning:
      'refused commands, and messages that were given up, of one principal from one stream, kept whatever others send (DEAD_KEPT); its oldest go',
    fallback: 1_024,
    least: 16,
    isRolling: true,
  }),
  refusalsOfPrincipal: count({
    name: 'ISOMORPH_MAX_REFUSED_COMMANDS_PER_S_A_PRINCIPAL',
    meaning: 'commands a second that are refused, of one principal; its next ones wait',
    fallback: 200,
  }),
  openPlansOfPrincipal: count({
    name: 'ISOMORPH_MAX_OPEN_PLANS_A_PRINCIPAL',
    meaning: 'plans that were admitted and have not ended, of one principal',
    fallback: 500,
  }),
  openPlans: count({
    name: 'ISOMORPH_MAX_OPEN_PLANS',
    meaning: 'plans that were admitted and have not ended, in all',
    fallback: 1_000,
  }),
  endBytesOfPrincipal: bytes({
    name: 'ISOMORPH_MAX_END_BYTES_A_PRINCIPAL',
    meaning: 'room that the ledger keeps for the ends of open plans of one principal; a quarter of it at most',
    fallback: 64 * MIB,
    least: 64 * KIB,
  }),
  rejectedBytesOfPrincipal: bytes({
    name: 'ISOMORPH_MAX_REJECTED_BYTES_A_PRINCIPAL',
    meaning: 'bytes in a day that the rejected plans of one principal leave, in the ledger and as documents',
    fallback: 4 * MIB,
    least: 64 * KIB,
  }),
  rejectedBytes: bytes({
    name: 'ISOMORPH_MAX_REJECTED_BYTES',
    meaning: 'bytes in a day that all rejected plans leave, in the ledger and as documents',
    fallback: 16 * MIB,
    least: 64 * KIB,
  }),
} as const;

/** What one execution, and all together, may have of a gateway at once (ADR 96). */
const TRAFFIC_LIMITS = {
  gatewayConnections: count({
    name: 'ISOMORPH_MAX_GATEWAY_CONNECTIONS',
    meaning: 'connections to a gateway; half of the files that its process may open, where that is less',
    fallback: 1_024,
  }),
  gatewayConnectionsOfExecution: count({
    name: 'ISOMORPH_MAX_GATEWAY_CONNECTIONS_AN_EXECUTION',
    meaning: 'connections of one execution to a gateway; more close the one that rests longest',
    fallback: 64,
  }),
  gatewayInFlight: count({
    name: 'ISOMORPH_MAX_GATEWAY_REQUESTS_IN_FLIGHT',
    meaning: 'requests in flight on a gateway; more get 503, but one of each execution is always let in',
    fallback: 512,
  }),
  gatewayInFlightOfExecution: count({
    name: 'ISOMORPH_MAX_GATEWAY_REQUESTS_IN_FLIGHT_AN_EXECUTION',
    meaning: 'requests in flight of one execution on a gateway; more get 429',
    fallback: 32,
  }),
  gatewayRequestsOfExecution: count({
    name: 'ISOMORPH_MAX_GATEWAY_REQUESTS_PER_S_AN_EXECUTION',
    meaning: 'requests a second of one execution; more wait',
    fallback: 1_000,
  }),
  gatewayBytes: bytes({
    name: 'ISOMORPH_MAX_GATEWAY_BYTES_PER_S',
    meaning: 'bytes a second through a gateway, in bodies both ways; more wait',
    fallback: 512 * MIB,
  }),
  gatewayBytesOfExecution: bytes({
    name: 'ISOMORPH_MAX_GATEWAY_BYTES_PER_S_AN_EXECUTION',
    meaning: 'bytes a second of one execution through a gateway, in bodies both ways; more wait',
    fallback: 64 * MIB,
    least: 64 * KIB,
  }),
} as const;

/** What one plan may hold in scratch (ADR 97). */
const SCRATCH_LIMITS = {
  kvKeys: count({
    name: 'ISOMORPH_MAX_KV_KEYS_A_PLAN',
    meaning: 'keys of one plan, on any backend',
    fallback: 10_000,
  }),
  kvBytesOfPlan: bytes({
    name: 'ISOMORPH_MAX_KV_BYTES_A_PLAN',
    meaning: 'keys and values of one plan, on any backend',
    fallback: 32 * MIB,
    least: 64 * KIB,
  }),
  queueMessages: count({
    name: 'ISOMORPH_MAX_QUEUE_MESSAGES_A_PLAN',
    meaning: 'messages of one plan that nobody acked, dead letters included, on any backend',
    fallback: 10_000,
  }),
  queueBytesOfPlan: bytes({
    name: 'ISOMORPH_MAX_QUEUE_BYTES_A_PLAN',
    meaning: 'bodies of those messages; on `nats:` a topic shares one of 16 streams, and this is half of it by default',
    fallback: 8 * MIB,
    least: 64 * KIB,
  }),
  queueTopics: count({
    name: 'ISOMORPH_MAX_QUEUE_TOPICS_A_PLAN',
    meaning: 'topics of one plan, on any backend',
    fallback: 100,
  }),
} as const;

/** What is read of what one execution says, and what is recorded of what one plan does (ADR 98). */
const RUN_LIMITS = {
  reportsOfExecution: count({
    name: 'ISOMORPH_MAX_REPORTS_PER_S_AN_EXECUTION',
    meaning:
      'report lines a second of one execution that are heard; the others are log, the last error is always heard',
    fallback: 20,
  }),
  logBytesOfExecution: bytes({
    name: 'ISOMORPH_MAX_LOG_BYTES_PER_S_AN_EXECUTION',
    meaning: 'log a second of one execution that is read; what writes more waits (on `mock` it is skipped)',
    fallback: MIB,
    least: 64 * KIB,
  }),
  relayConnections: count({
    name: 'ISOMORPH_MAX_RELAY_CONNECTIONS',
    meaning: 'connections of all containers of `local` that one dispatcher passes on; more close the quietest',
    fallback: 512,
  }),
  localScratchBytes: bytes({
    name: 'ISOMORPH_MAX_LOCAL_SCRATCH_BYTES',
    meaning: 'the largest `scratch_volume_gb` on `local`, where it is memory of the engine’s machine; more is refused',
    fallback: 1024 * MIB,
  }),
  factsOfPlan: count({
    name: 'ISOMORPH_MAX_FACTS_A_PLAN',
    meaning: 'facts of scratch use of one plan that the ledger records',
    fallback: 10_000,
  }),
} as const;

/** Every limit there is. */
export const LIMITS = {
  ...STREAM_LIMITS,
  ...PRINCIPAL_LIMITS,
  ...TRAFFIC_LIMITS,
  ...SCRATCH_LIMITS,
  ...RUN_LIMITS,
} as const;

export type LimitKey = keyof typeof LIMITS;
export type StreamLimitKey = keyof typeof STREAM_LIMITS;

export type Limits = { readonly [K in LimitKey]: number };
export type StreamLimits = Pick<Limits, StreamLimitKey>;

/** What holds where nothing else is said. */
export const DEFAULT_LIMITS = Object.fromEntries(
  Object.entries(LIMITS).map(([key, { fallback }]) => [key, fallback]),
) as Limits;
