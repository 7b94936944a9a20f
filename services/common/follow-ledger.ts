import type { Journal } from '../../shared/journal/journal.ts';
import type { Snapshot } from '../../shared/journal/snapshot.ts';
import type { LedgerEvent } from '../../shared/ledger/events.ts';
import type { Consumption } from '../../shared/nats/consume.ts';
import { type Disposition, DONE } from '../../shared/nats/disposition.ts';
import type { ConsumerSpec } from '../../shared/wire/consumers.ts';
import { planOfSubject } from '../../shared/wire/ledger.ts';
import { consumeFor } from './consume.ts';
import type { ServiceDeps } from './deps.ts';
import { PlanOwners } from './plan-owners.ts';

export interface FollowLedgerOptions {
  readonly deps: ServiceDeps;
  readonly consumer: ConsumerSpec;
  readonly journal: Journal;
  /**
   * Called for every commit of every plan, one at a time a plan. The state is at least as new as the commit.
   * @returns when to be called again, if what is to be done has to wait
   */
  react(events: readonly LedgerEvent[], snapshot: Snapshot, seq: number): Promise<Disposition | undefined>;
  /** Told of the subject of each commit as it comes, also while one before it of its plan is reacted to. */
  heard?(subject: string): void;
}

/** Beyond them each principal has one. */
export const PLANS_AT_ONCE = 64;

/** A commit is answered in milliseconds: who has some that wait for longer, such as for a judge, makes room for others. */
const SLOW_MS = 1_000;

/** Reacts to the ledger: the shape of every service whose input is what others wrote. Principals take turns. */
export function followLedger({ deps, consumer, journal, react, heard }: FollowLedgerOptions): Promise<Consumption> {
  const owners = new PlanOwners(deps.connection);
  return consumeFor(deps, {
    consumer,
    keepQuarantined: true,
    concurrency: PLANS_AT_ONCE,
    slowMs: SLOW_MS,
    whoseOf: (message) => owners.of(message),
    keyOf: (message) => planOfSubject(message.subject) ?? '',
    planOf: (message) => planOfSubject(message.subject),
    principalOf: (_, planId) => journal.principalOf(planId),
    delivered: ({ subject }) => heard?.(subject),
    async handle(message): Promise<Disposition> {
      const planId = planOfSubject(message.subject);
      const { subject, seq, data } = message;
      if (planId === undefined) return DONE;
      const events = journal.observe(planId, { subject, seq, data, storedAt: '' });
      const snapshot = await (message.redelivered ? journal.loadAgain(planId, seq) : journal.load(planId, seq));
      // What is none of the chain causes nothing; the journal has told of it.
      if (events === undefined || snapshot.foreign.has(seq)) return DONE;
      return (await react(events, snapshot, seq)) ?? DONE;
    },
  });
}
