import { Batcher } from '../../shared/async/batcher.ts';
import type { TellLimit } from '../../shared/async/limit-notice.ts';
import { OnceAMinute } from '../../shared/async/once-a-minute.ts';
import { fault } from '../../shared/errors/isomorph-error.ts';
import { isPlanId } from '../../shared/ids/ids.ts';
import { Journal } from '../../shared/journal/journal.ts';
import type { PlanState } from '../../shared/ledger/state.ts';
import type { Consumption } from '../../shared/nats/consume.ts';
import { type Disposition, DONE, giveUp } from '../../shared/nats/disposition.ts';
import { CONSUMERS } from '../../shared/wire/consumers.ts';
import { planOfFact } from '../../shared/wire/facts.ts';
import { consumeFor } from '../common/consume.ts';
import type { ServiceDeps } from '../common/deps.ts';
import { LedgerRoom } from '../common/ledger-room.ts';
import { commitsOf, decideRecord, type Fact, isLate, parseFact, refusalOf } from './decide.ts';

/** Facts taken together; how many commits they fill depends on their size. */
const FACTS_AT_ONCE = 200;
const MESSAGES_AT_ONCE = 512;

function planOf({ subject }: { readonly subject: string }): string | undefined {
  const token = planOfFact(subject);
  return isPlanId(token) ? token : undefined;
}

export interface SamplerDeps extends ServiceDeps {
  readonly tellLimit: TellLimit;
  /** Of one plan. */
  readonly mostFacts: number;
}

/** Brings facts of scratch use into the ledger, many to a commit. */
export function startSampler({ tellLimit, mostFacts: most, ...deps }: SamplerDeps): Promise<Consumption> {
  const { log } = deps;
  const refusedOften = new OnceAMinute();
  const lateOften = new OnceAMinute();
  const journal = new Journal({ ...deps, by: 'sampler' });
  const room = new LedgerRoom(deps.connection);
  const batcher = new Batcher<Fact, PlanState>({ maxItems: FACTS_AT_ONCE, isInTurn: true }, async (planId, facts) => {
    let { state } = await journal.load(planId);
    // What plans report must not take the room that their ends need.
    await room.check();
    for (const commit of commitsOf(facts)) {
      ({ state } = await journal.append(planId, decideRecord, { facts: commit, most }));
    }
    return facts.map(() => state);
  });
  return consumeFor(deps, {
    consumer: CONSUMERS.sampler,
    concurrency: MESSAGES_AT_ONCE,
    prefetch: MESSAGES_AT_ONCE,
    keyOf: (message) => String(message.seq),
    planOf,
    principalOf: (_, planId) => journal.principalOf(planId),
    async handle(message): Promise<Disposition> {
      const planId = planOf(message);
      const parsed = parseFact(message.data, message.seq);
      if (!parsed.ok) return giveUp(parsed.fault);
      if (planId === undefined) return giveUp(fault('ERR_PLAN_ID', `${message.subject} names no plan`));
      const state = await batcher.add(planId, parsed.fact);
      if (isLate(state, parsed.fact)) {
        const times = lateOften.due('late');
        if (times !== undefined) log.info({ plan_id: planId, times }, 'a fact came after the end of its plan');
        return DONE;
      }
      tellLimit({ limit: 'facts', of: planId, used: state.facts.size, most });
      const refused = refusalOf(state, parsed.fact, most);
      // A flood of facts must not become one of dead letters: the first of a minute says it for all.
      if (refused?.code === 'ERR_LIMIT' && refusedOften.due(planId) === undefined) return DONE;
      return refused === undefined ? DONE : giveUp(refused);
    },
  });
}
