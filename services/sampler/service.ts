import { Journal } from '../../shared/ledger/journal/journal.ts';
import type { PlanState } from '../../shared/ledger/state.ts';
import { type Consumption, consume, DONE, type Verdict } from '../../shared/nats/consume.ts';
import { isPlanId } from '../../shared/plan/names.ts';
import type { ServiceDeps } from '../../shared/service/deps.ts';
import { Batcher } from './batcher.ts';
import { decideRecord, type Fact, parseFact, refusal } from './decide.ts';

/** Facts of one commit: well inside its size limit. */
const FACTS_PER_COMMIT = 200;
const MESSAGES_AT_ONCE = 512;

/** Brings facts of scratch use into the ledger, many to a commit. */
export function startSampler(deps: ServiceDeps): Promise<Consumption> {
  const journal = new Journal({ ...deps, by: 'sampler' });
  const batcher = new Batcher<Fact, PlanState>(FACTS_PER_COMMIT, async (planId, facts) => {
    const { state } = await journal.append(planId, (now) => decideRecord(now, facts));
    return state;
  });
  return consume({
    connection: deps.connection,
    log: deps.log,
    consumer: { stream: 'FACTS', durable: 'sampler' },
    concurrency: MESSAGES_AT_ONCE,
    prefetch: MESSAGES_AT_ONCE,
    keyOf: (message) => String(message.seq),
    async handle(message): Promise<Verdict> {
      const planId = message.subject.split('.')[1];
      const parsed = parseFact(message.data, message.seq);
      if (!parsed.ok) return { kind: 'dead', fault: parsed.fault, ...(isPlanId(planId) ? { planId } : {}) };
      const state = await batcher.add(planId ?? '', parsed.fact);
      const refused = state.facts.has(parsed.fact.id) ? undefined : refusal(state);
      return refused === undefined ? DONE : { kind: 'dead', fault: refused, ...(isPlanId(planId) ? { planId } : {}) };
    },
  });
}
