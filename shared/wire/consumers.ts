import { ADAPTERS, type Adapter } from '../ids/adapter.ts';
import { ALARMS_STREAM, rungSubject } from './alarms.ts';
import { COMMANDS_STREAM } from './commands.ts';
import { FACTS_STREAM } from './facts.ts';
import { LEDGER_STREAM } from './ledger.ts';
import { WORK_STREAM, workSubject } from './work.ts';

/** Long enough for a stalled event loop, short enough that work of a killed service goes on soon. */
export const ACK_WAIT_MS = 10_000;

/**
 * Raised when services of the version before must not run beside this one. It stands in the name of every durable
 * consumer and of the services' user of NATS: setup moves what waits to the new names, and a service that was left
 * running gets no work and cannot write (ADR 72).
 */
const EDITION = 2;

export const inEdition = (name: string): string => `${name}-${EDITION}`;

export interface ConsumerSpec {
  readonly stream: string;
  readonly durable: string;
  /** Its name in the edition before, at 8ebb686: setup takes over what that one left. */
  readonly replaces: string;
  readonly filter?: string;
}

const consumer = (stream: string, name: string, filter?: string): ConsumerSpec => ({
  stream,
  durable: inEdition(name),
  replaces: name,
  ...(filter === undefined ? {} : { filter }),
});

/** Durable consumers by what they are for. The projector needs none: it reads from the position that Postgres keeps. */
export const CONSUMERS = {
  admission: consumer(COMMANDS_STREAM, 'admission'),
  dispatcher: consumer(LEDGER_STREAM, 'dispatcher'),
  settler: consumer(LEDGER_STREAM, 'settler'),
  alarms: consumer(ALARMS_STREAM, 'dispatcher-alarms', rungSubject()),
  sampler: consumer(FACTS_STREAM, 'sampler'),
} as const satisfies Readonly<Record<string, ConsumerSpec>>;

/** What dispatchers that serve one runtime share. */
export const workConsumer = (adapter: Adapter): ConsumerSpec =>
  consumer(WORK_STREAM, `dispatcher-${adapter}`, workSubject(adapter));

/** Consumers of earlier versions, whose work alarms do now: setup removes them. */
export const RETIRED_CONSUMERS: readonly { readonly stream: string; readonly durable: string }[] = [
  'dispatcher-timers',
  'dispatcher-purges',
].flatMap((name) => [name, inEdition(name)].map((durable) => ({ stream: WORK_STREAM, durable })));

/** Every durable consumer there is. */
export const ALL_CONSUMERS: readonly ConsumerSpec[] = [...Object.values(CONSUMERS), ...ADAPTERS.map(workConsumer)];
