import type { NatsConnection } from '@nats-io/transport-node';
import { LRUCache } from 'lru-cache';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { admissionsOf } from '../../shared/journal/open-plans.ts';
import { commitOf } from '../../shared/journal/snapshot.ts';
import { readMeaning } from '../../shared/ledger/meaning.ts';
import type { StoredMessage } from '../../shared/nats/read.ts';
import { planOfSubject } from '../../shared/wire/ledger.ts';

const REMEMBERED = 10_000;

/** Who is meant where nobody knows whose a plan is: only whose turn it is depends on it. */
const NOBODY = '';

type Message = Pick<StoredMessage, 'subject' | 'seq' | 'data'>;

/** Whose the plans are that ledger messages speak of, for whoever lets principals take turns. Asked once a plan. */
export class PlanOwners {
  readonly #connection: NatsConnection;
  readonly #known = new LRUCache<string, string>({ max: REMEMBERED });

  constructor(connection: NatsConnection) {
    this.#connection = connection;
  }

  /** Its commits after the admission do not say it: that of one that this process has not seen is looked for. */
  async of(message: Message): Promise<string> {
    const planId = planOfSubject(message.subject);
    if (planId === undefined) return NOBODY;
    const known = this.#known.get(planId) ?? this.#told(planId, message);
    return known ?? (await this.#asked(planId));
  }

  async #asked(planId: string): Promise<string> {
    try {
      const [admission] = await admissionsOf(this.#connection, [planId]);
      return (admission === undefined ? undefined : this.#told(planId, admission)) ?? NOBODY;
    } catch (error) {
      if (error instanceof IsomorphError && error.code === 'ERR_UNAVAILABLE') return NOBODY;
      throw error;
    }
  }

  #told(planId: string, { subject, seq, data }: Message): string | undefined {
    if (!/\.plan\.(admitted|rejected)$/.test(subject)) return undefined;
    const commit = commitOf(planId, { subject, seq, data, storedAt: '' });
    if (commit instanceof IsomorphError) return undefined;
    const principal = commit.flatMap((raw) => {
      const meaning = readMeaning(raw);
      return meaning.kind === 'event' && meaning.event.kind === 'plan.submitted' ? meaning.event.data.principal : [];
    })[0];
    // A rejected plan gives its id back, to whomever.
    if (principal !== undefined && subject.endsWith('admitted')) this.#known.set(planId, principal);
    return principal;
  }
}
