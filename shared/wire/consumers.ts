import { ADAPTERS, type Adapter } from '../ids/adapter.ts';
import { COMMANDS_STREAM } from './commands.ts';
import { FACTS_STREAM } from './facts.ts';
import { LEDGER_STREAM } from './ledger.ts';
import { PURGE_SUBJECT, TIMER_SUBJECT, WORK_STREAM, workSubject } from './work.ts';

/** Long enough for a stalled event loop, short enough that work of a killed service goes on soon. */
export const ACK_WAIT_MS = 10_000;

export interface ConsumerSpec {
  readonly stream: string;
  readonly durable: string;
  readonly filter?: string;
}

/** Durable consumers by what they are for. The projector needs none: it reads from the position that Postgres keeps. */
export const CONSUMERS = {
  admission: { stream: COMMANDS_STREAM, durable: 'admission' },
  dispatcher: { stream: LEDGER_STREAM, durable: 'dispatcher' },
  settler: { stream: LEDGER_STREAM, durable: 'settler' },
  timers: { stream: WORK_STREAM, durable: 'dispatcher-timers', filter: TIMER_SUBJECT },
  purges: { stream: WORK_STREAM, durable: 'dispatcher-purges', filter: PURGE_SUBJECT },
  sampler: { stream: FACTS_STREAM, durable: 'sampler' },
} as const satisfies Readonly<Record<string, ConsumerSpec>>;

/** What dispatchers that serve one runtime share. */
export const workConsumer = (adapter: Adapter): ConsumerSpec => ({
  stream: WORK_STREAM,
  durable: `dispatcher-${adapter}`,
  filter: workSubject(adapter),
});

/** Every durable consumer there is. */
export const ALL_CONSUMERS: readonly ConsumerSpec[] = [...Object.values(CONSUMERS), ...ADAPTERS.map(workConsumer)];
