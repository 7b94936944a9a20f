/** Ledgers of plans that ran: what verifying and projecting are measured on. */
import { encodeCommit } from '../../shared/ledger/chain.ts';
import {
  admitted,
  Chain,
  scheduled,
  settledExecution,
  started,
  submitted,
  succeeded,
  written,
} from '../../test/ledger/plan-history.ts';

const RESERVE = 10;
const COST = 5;

export const stepId = (n: number): string => `s${n}`;

/** One life: each step is scheduled, started, ended with an output and settled, in a commit of its own each. */
export function lifeOf(planId: string, steps: number, ran = steps): Chain {
  const limit = RESERVE * steps;
  const admission = admitted(planId, limit, { steps });
  const chain = new Chain(planId).append('admission', [submitted(planId), admission]);
  for (let n = 0; n < ran; n++) runStep(chain, n);
  return chain;
}

export function runStep(chain: Chain, n: number): void {
  const { planId } = chain;
  const [id, execution] = [stepId(n), `${planId}.${stepId(n)}.1`];
  chain
    .append('dispatcher', scheduled(planId, id, 1, RESERVE))
    .append('dispatcher', [started(execution)])
    .append('dispatcher', [written(planId, id, 'out.json', execution), succeeded(execution, 5)])
    .append('settler', settledExecution(planId, execution, RESERVE, COST));
}

const decoder = new TextDecoder();

export const linesOf = (chain: Chain): string[] =>
  chain.commits.flatMap((commit) => decoder.decode(encodeCommit(commit)).split('\n'));
