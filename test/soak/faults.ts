/** What is done to the services in a round, and when. Pure. */
import { isOn, type KnownLimit } from './known.ts';
import type { Random } from './random.ts';

/** The services of the soak, each copy a process of its own. */
export const COPIES = [
  'admission-1',
  'admission-2',
  'dispatcher-1',
  'dispatcher-2',
  'settler-1',
  'settler-2',
  'sampler-1',
  'projector-1',
  'gateway-1',
] as const;
export type Copy = (typeof COPIES)[number];

/** The event after which a fault is done, of any plan of the round. */
export interface Trigger {
  readonly kind: string;
  readonly nth: number;
}

export type Fault =
  /** SIGKILL, and a new process. `writer` is the dispatcher that the event names. */
  | { readonly what: 'kill'; readonly copy: Copy | 'writer'; readonly on: Trigger }
  /** SIGSTOP for longer than the server waits for an acknowledgement. */
  | { readonly what: 'pause'; readonly copy: Copy; readonly on: Trigger }
  /** SIGTERM, and a new process. */
  | { readonly what: 'stop'; readonly copy: Copy; readonly on: Trigger }
  /** No connection to NATS comes through for a while. */
  | { readonly what: 'cut'; readonly copy: Copy; readonly seconds: number; readonly on: Trigger }
  | { readonly what: 'kill nats-server' | 'kill PGlite'; readonly on: Trigger }
  /** Every message of WORK that is stored then. */
  | { readonly what: 'delete work'; readonly on: Trigger }
  | { readonly what: 'delete a consumer'; readonly durable: string; readonly stream: string; readonly on: Trigger };

/** Whichever is deleted is there again when the round ends. */
export const CONSUMERS = [
  ['LEDGER', 'dispatcher-2'],
  ['LEDGER', 'settler-2'],
  ['COMMANDS', 'admission-2'],
  ['WORK', 'dispatcher-mock-2'],
  ['ALARMS', 'dispatcher-alarms-2'],
  ['FACTS', 'sampler-2'],
] as const;

const KINDS = ['plan.admitted', 'execution.started', 'execution.succeeded', 'execution.settled'] as const;

const KILLS = 3;
/** A dispatcher is killed this often right behind a claim: only then nobody knows whether the run began. */
const KILLS_AT_CLAIMS = 3;

export const faultText = ({ on, ...fault }: Fault): string =>
  `${Object.values(fault).join(' ')} after ${on.kind} ${on.nth}`;

/** The faults of a round in order; the next one waits until the one before is over. */
export function faultsOf(random: Random, on: readonly KnownLimit[]): Fault[] {
  const trigger = (): Trigger => ({ kind: random.pick(KINDS), nth: random.between(1, 3) });
  const touchable = COPIES.filter((copy) => copy !== 'gateway-1');
  const kills = touchable.map((copy): Fault => ({ what: 'kill', copy, on: trigger() }));
  const claims = Array.from(
    { length: KILLS_AT_CLAIMS },
    (): Fault => ({ what: 'kill', copy: 'writer', on: { kind: 'execution.started', nth: random.between(1, 2) } }),
  );
  const [stream, durable] = random.pick(CONSUMERS);
  const pausable = touchable.filter((copy) => copy.endsWith('-1'));
  const faults: Fault[] = [
    ...random.shuffled(kills).slice(0, KILLS),
    ...claims,
    { what: 'pause', copy: random.pick(pausable), on: trigger() },
    { what: 'cut', copy: random.pick(touchable), seconds: random.between(1, 3), on: trigger() },
    { what: 'delete a consumer', stream, durable, on: trigger() },
    { what: 'kill nats-server', on: trigger() },
    { what: 'kill PGlite', on: trigger() },
  ];
  if (isOn(on, 'orderly-stop')) faults.push({ what: 'stop', copy: 'dispatcher-1', on: trigger() });
  if (isOn(on, 'gateway-restart')) faults.push({ what: 'kill', copy: 'gateway-1', on: trigger() });
  if (isOn(on, 'work-given-up')) faults.push({ what: 'delete work', on: { kind: 'execution.scheduled', nth: 1 } });
  return random.shuffled(faults);
}
